"""``.ci/find-python`` takes the first Python that the lock serves, says which, and what to do where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "find-python"
FAKE = """#!/bin/sh
[ "$1" = --version ] && echo "Python {version}.9" && exit 0
for one in "$@"; do [ "$one" = {version} ] && exit 0; done
exit 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def add(folder: Path, name: str, version: str) -> Path:
    """A Python of a version, as far as the script asks."""
    folder.mkdir(parents=True, exist_ok=True)
    fake = folder / name
    fake.write_text(FAKE.format(version=version))
    fake.chmod(0o755)
    return fake


def find(path: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What the script says with nothing but `path` to find."""
    environment = {"PATH": str(path), "PYENV_ROOT": str(path / "none"), "HOME": str(path)} | variables
    argv = ["/bin/bash", str(SCRIPT), *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def test_the_oldest_that_is_found_is_taken_and_said(path: Path) -> None:
    add(path, "python3.13", "3.13")
    taken = add(path, "python3.12", "3.12")
    found = find(path)
    assert found.stdout == f"{taken}\n"
    assert found.stderr == f"taking Python 3.12.9 at {taken}\n"


def test_a_full_run_takes_the_next(path: Path) -> None:
    add(path, "python3.12", "3.12")
    other = add(path, "python3.13", "3.13")
    assert find(path, "other").stdout == f"{other}\n"


def test_a_full_run_with_one_python_says_so(path: Path) -> None:
    only = add(path, "python3.11", "3.11")
    found = find(path, "other")
    assert found.stdout == f"{only}\n"
    assert "no second Python" in found.stderr


def test_python3_counts_by_its_version_and_not_by_its_name(path: Path) -> None:
    taken = add(path, "python3", "3.13")
    assert find(path).stdout == f"{taken}\n"


def test_a_shim_of_a_version_that_is_not_there_is_passed_over(path: Path) -> None:
    add(path, "python3.11", "nothing")
    taken = add(path / "none" / "versions" / "3.11.7" / "bin", "python3", "3.11")
    assert find(path).stdout == f"{taken}\n"


def test_none_is_told_with_the_remedy(path: Path) -> None:
    add(path, "python3", "3.14")
    found = find(path)
    assert found.returncode == 1
    assert "PYTHON=/path/to/python3" in found.stderr
    assert found.stdout == ""


def test_the_one_that_is_named_is_taken_or_refused(path: Path, tmp_path: Path) -> None:
    add(path, "python3.11", "3.11")
    mine, old = add(tmp_path, "mine", "3.13"), add(tmp_path, "old", "3.10")
    assert find(path, PYTHON=str(mine)).stdout == f"{mine}\n"
    refused = find(path, PYTHON=str(old))
    assert refused.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13" in refused.stderr
