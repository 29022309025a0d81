"""What the wheel carries, and where its services write; ``.ci/check-wheel`` runs a factory with it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flows.services import home as folders

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "models", "storage")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    dist = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(dist.glob("synthcxr-*.whl")))


def tracked(*below: str) -> set[str]:
    """The files of the checkout that git knows below some folders."""
    argv = ["git", "ls-files", "-z", *below]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no git checkout: {done.stderr.strip()}")
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}


def test_it_carries_every_file_of_the_four_packages(wheel: zipfile.ZipFile) -> None:
    assert tracked(*PACKAGES) <= set(wheel.namelist())


def test_it_carries_the_weights_to_the_byte(wheel: zipfile.ZipFile) -> None:
    weights = {name for name in tracked("models/assets") if name.endswith(".safetensors")}
    assert len(weights) >= 8
    for name in weights:
        assert wheel.read(name) == (ROOT / name).read_bytes(), name


def test_it_carries_the_deployments_where_the_services_look(wheel: zipfile.ZipFile) -> None:
    name = folders.DEPLOYMENTS.relative_to(folders.REPOSITORY).as_posix()
    assert wheel.read(name) == (ROOT / "prefect.yaml").read_bytes()


def test_it_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    outside = {name.split("/")[0] for name in wheel.namelist()} - set(PACKAGES)
    assert [name for name in outside if not name.endswith(".dist-info")] == []
    assert [name for name in wheel.namelist() if "__pycache__" in name] == []


def test_services_write_into_the_state_folder_where_no_checkout_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folders.workspace(tmp_path) == folders.REPOSITORY
    monkeypatch.setattr(folders, "REPOSITORY", tmp_path / "site-packages")
    assert folders.workspace(tmp_path / "state") == tmp_path / "state"


def test_the_metadata_admits_the_pythons_of_the_lock(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert "Requires-Python: <3.14,>=3.11" in wheel.read(name).decode()
