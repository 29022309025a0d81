"""Files are shared out whole, the slow ones begin first, and each worker has its share of the cores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers import SLOWEST

ROOT = Path(__file__).parents[1]
TEST = """
import os, sys
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(3))
def test_of_a_file(number):
    said = [Path(__file__).name, os.environ["PYTEST_XDIST_WORKER"], os.environ["OMP_NUM_THREADS"]]
    with open({log!r}, "a") as log:
        print(*said, file=log)
"""


@pytest.mark.parametrize("name", SLOWEST)
def test_a_file_that_begins_first_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_a_file_runs_in_one_worker_and_each_worker_has_its_share_of_the_cores(tmp_path: Path) -> None:
    log, options = tmp_path / "log", ["-p", "tests.workers", "-c", str(ROOT / "pyproject.toml"), "-n", "2"]
    options += ["--basetemp", str(tmp_path / "temporary")]
    for number in range(6):
        (tmp_path / f"test_{number}.py").write_text(TEST.format(log=str(log)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "PYTEST_"))}
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split() for line in log.read_text().splitlines()]
    assert len(ran) == 18
    assert len({(name, worker) for name, worker, _ in ran}) == 6, "a file ran in two workers"
    assert {worker for _, worker, _ in ran} == {"gw0", "gw1"}
    assert {threads for _, _, threads in ran} == {str(max(1, (os.cpu_count() or 1) // 2))}
