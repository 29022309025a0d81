"""Evaluation tasks by name: one YAML file each."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.registry import UnknownKind
from tasks.evaluate.protocol import TASKS, build_task
from tasks.evaluate.task_files import SHIPPED, find_task, resolved, shipped_tasks
from tasks.recipe.base import KindSpec


def test_every_shipped_task_can_be_built_and_is_called_as_its_file() -> None:
    found = shipped_tasks()
    assert {task.kind for task in found.values()} <= set(TASKS)
    assert sorted(found) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    for task in found.values():
        assert task.version == 1
        assert task.description.endswith(".")
        build_task(task.spec)


def test_a_task_is_a_name_a_kind_or_a_file(tmp_path: Path) -> None:
    assert find_task("zero-shot-caption-max").options == {"prompts": "caption", "rule": "max"}
    assert find_task("retrieval").spec.options == {}
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nversion: 3\nkind: zero_shot\noptions: {rule: pair}\ndataset: toy@v1\n")
    found = find_task(str(own))
    assert (found.name, found.version, found.dataset) == ("own", 3, "toy@v1")


def test_a_profile_may_name_a_task_by_its_file() -> None:
    named = KindSpec(kind="zero-shot-label-pair", options={"rule": "max"})
    assert resolved(named) == KindSpec(kind="zero_shot", options={"prompts": "label", "rule": "max"})
    for other in (KindSpec(kind="zero_shot"), KindSpec(kind="unheard-of")):
        assert resolved(other) == other


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: zero_shot", "name: "),
        ("name: own\nkind: zero_shot\nsplitt: test", "splitt: "),
        ("name: own\nkind: zero_shot\noptions: {rule: odd}", "rule"),
        ("name: own\nkind: zero_sht", "unknown kind 'zero_sht'"),
        ("name: [", "own.yaml"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(UnknownKind) as raised:
        find_task(str(own))
    assert told in str(raised.value)
    assert "own.yaml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unknown_task_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownKind, match=r"there is no task 'retrieva', did you mean .*retrieval"):
        find_task("retrieva")
    with pytest.raises(UnknownKind, match=r"nothing\.yaml cannot be read: No such file"):
        find_task(str(tmp_path / "nothing.yaml"))
