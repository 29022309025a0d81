"""An engine that is spread over two processes writes what one process writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def written(folder: Path, size: int) -> list[str]:
    command = [sys.executable, "-m", "tests.models.language.tensor_parallel", str(folder), str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.engine
@pytest.mark.timeout(1100)
def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    alone, spread = (written(tmp_path / "llama", size) for size in (1, 2))
    assert len(set(alone)) == 4
    assert spread == alone
