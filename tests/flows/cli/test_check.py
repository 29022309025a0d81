"""`synth check` says whether a profile can be run, and every flow asks the same first."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app

FAST = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))


def test_a_sound_profile_is_one_line() -> None:
    result = CliRunner().invoke(app, ["check", "--profile", FAST])
    assert result.exit_code == 0
    assert result.output.startswith("profile 'fast' is sound: 24 pairs of fast-cxr/v-")
    assert len(result.output.splitlines()) == 1


def test_problems_are_all_listed_and_the_exit_code_is_two() -> None:
    result = CliRunner().invoke(app, ["check", "-p", FAST, "-s", "pairs=0", "-s", "pretrain.model=nope"])
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert lines[0].startswith("error: profile ")
    assert lines[0].endswith("has 2 problems:")
    assert [line.split(":")[0] for line in lines[1:]] == ["  pairs", "  pretrain.model"]


@pytest.mark.parametrize("command", ["run", "generate", "curate", "pretrain", "evaluate"])
def test_every_flow_begins_with_the_check(command: str, tmp_path: Path) -> None:
    changes = ["-s", f"storage.root={tmp_path / 'store'}", "-s", "image_gates.1.threshold=7"]
    result = CliRunner().invoke(app, [command, "-p", FAST, *changes])
    assert result.exit_code == 2
    assert "image_gates.1.threshold: 7 is outside the scores of gate 'contrast'" in result.output
    assert not (tmp_path / "store").exists()
