"""The cluster and the workers of each stage are given in one place, and what was given elsewhere is still read."""

from __future__ import annotations

import pytest

from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import diff, fingerprint, reason_excluded
from tasks.recipe.profile import dump_recipe, parse_recipe
from tasks.recipe.reading import parse_yaml
from tasks.recipe.workers import WorkerSection
from tests.making import fast_recipe


def refused(*changes: str) -> str:
    with pytest.raises(RecipeError) as raised:
        fast_recipe(*changes)
    return "\n".join(raised.value.problems)


@pytest.mark.parametrize("address", ["head:6379", "10.0.0.7:6379", "ray-head.ml.svc:10001", "[::1]:6379"])
def test_a_cluster_is_named_by_host_and_port(address: str) -> None:
    assert fast_recipe("engine=ray", f"ray.address='{address}'").ray.address == address


@pytest.mark.parametrize("address", ["auto", "local", "ray://head:10001", "head", "head:0", "head:port", "u:p@h:6379"])
def test_no_cluster_is_taken_that_happens_to_be_found(address: str) -> None:
    assert "ray.address" in refused(f"ray.address='{address}'")


def test_neither_place_nor_number_of_workers_changes_a_sample() -> None:
    plain = fast_recipe()
    other = fast_recipe("ray.address='head:6379'", "workers.images={gpus: 1, least: 2, most: 4}", "engine=ray")
    assert fingerprint(other) == fingerprint(plain)
    for path in ("ray.address", "workers.reports.gpus", "images.resources.gpus", "reports.resources.python"):
        assert reason_excluded(path) is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("workers.images={least: 3, most: 2}", "workers.images: most is 2, but least is 3"),
        ("workers.images.gpus=1.5", "1.5 GPUs cannot be held"),
        ("workers.images.least=0", "workers.images.least"),
        ("workers.images.workers=2", "workers.images.workers: unknown key"),
        ("workers.painters={}", "workers.painters: unknown key"),
        ("workers.images.runtime_env.env_vars={AWS_SECRET_ACCESS_KEY: x}", "env_vars: unknown key"),
        ("images.resources.gpus=2", "images.resources: is workers.images now"),
        ("reports.resources={workers: 2}", "reports.resources: is workers.reports now"),
    ],
)
def test_mistakes_and_former_keys_are_told(change: str, told: str) -> None:
    assert told in refused(change)


def test_only_what_is_set_of_a_runtime_environment_reaches_ray() -> None:
    assert WorkerSection().environment() == {}
    section = fast_recipe("workers.images.runtime_env={py_executable: /x/python}").workers.images
    assert section.environment() == {"py_executable": "/x/python"}


def test_a_stored_recipe_with_the_former_keys_is_read() -> None:
    stored = parse_yaml(dump_recipe(fast_recipe()), "stored")
    assert isinstance(stored, dict)
    del stored["workers"], stored["ray"]
    stored["reports"]["resources"] = {"gpus": None, "cpus": 1, "memory_gib": None, "workers": None, "python": None}
    stored["images"]["resources"] = {
        "gpus": 2, "cpus": 3, "memory_gib": 8, "workers": 4, "python": "/x/python", "node": "xformers"
    }  # fmt: skip
    read = parse_recipe(stored)
    assert read.workers.reports == WorkerSection()
    images = read.workers.images
    assert (images.gpus, images.cpus, images.memory, images.least, images.most) == (2, 3, 8, 4, 4)
    assert (images.node, images.runtime_env.py_executable) == ("xformers", "/x/python")
    assert fingerprint(read) == fingerprint(fast_recipe())
    assert diff(stored, read) == []
