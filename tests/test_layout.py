"""The four packages are the ones of this repository, and nothing here shadows what we depend on."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "models", "storage")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_resolves_to_this_repository(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name / "__init__.py"


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert not [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()]


def test_docker_is_no_package() -> None:
    # With an __init__.py it would shadow the docker SDK, which Prefect imports.
    assert not list((ROOT / "docker").rglob("__init__.py"))


def test_no_top_level_name_shadows_a_dependency_or_the_standard_library() -> None:
    ours = {path.stem for path in ROOT.glob("*.py")} | {
        path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))
    }
    theirs = set(sys.stdlib_module_names) | {
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", name).lower() for name in distributions} <= {"synthcxr"}
    }
    assert not (ours & theirs) - {"tests"}


def test_no_module_shadows_a_dependency_when_its_folder_is_on_the_path() -> None:
    # `python tasks/x/torch.py` would put its folder first on the path.
    heavy = {"torch", "vllm", "diffusers", "transformers", "prefect", "mlflow", "open_clip", "boto3", "ray", "numpy"}
    named = {path.stem for name in (*PACKAGES, "benchmarks") for path in (ROOT / name).rglob("*.py")}
    assert not named & heavy
