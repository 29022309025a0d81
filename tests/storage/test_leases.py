"""A shared service runs until the last live process that uses it has left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from storage import leases
from storage.process import Identity


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def ended() -> list[float]:
    """How often the service was ended, with the seconds that it was given."""
    return []


def test_the_last_that_leaves_ends_it(tmp_path: Path, ended: list[float]) -> None:
    first, second = leases.take(tmp_path, ended.append), leases.take(tmp_path, ended.append)
    assert leases.holders(tmp_path) == [Identity.of(os.getpid())] * 2
    leases.leave(first, 5)
    assert ended == []
    leases.leave(second, 5)
    assert ended == [5]
    leases.leave(second, 5)
    assert ended == [5]


def test_it_stays_while_another_process_uses_it(
    tmp_path: Path, ended: list[float], other: subprocess.Popen[bytes]
) -> None:
    mine = leases.take(tmp_path, ended.append)
    _record(tmp_path, other.pid, json.dumps(asdict(Identity.of(other.pid))))
    leases.leave(mine, 5)
    assert ended == []
    assert f"process {other.pid} " in leases.users(tmp_path)


@pytest.mark.parametrize("record", ["", '{"pid": 4', "[]", "null", '{"pid": "x", "created": "y"}'])
def test_a_record_that_is_cut_short_counts_by_its_name(
    tmp_path: Path, record: str, other: subprocess.Popen[bytes]
) -> None:
    path = _record(tmp_path, other.pid, record)
    assert leases.holders(tmp_path) == [Identity.of(other.pid)]
    other.kill()
    other.wait()
    assert leases.holders(tmp_path) == []
    assert not path.exists()


def test_a_killed_process_keeps_nothing_up(tmp_path: Path, ended: list[float], other: subprocess.Popen[bytes]) -> None:
    _record(tmp_path, other.pid, json.dumps(asdict(Identity.of(other.pid))))
    other.kill()
    other.wait()
    leases.leave(leases.take(tmp_path, ended.append), 5)
    assert ended == [5]


def test_a_reader_leaves_it_running(tmp_path: Path, ended: list[float]) -> None:
    reader = leases.take(tmp_path, ended.append)
    reader.ends = False
    leases.leave(reader, 5)
    assert ended == []


def test_a_process_that_ends_at_once_gives_all_its_leases_back(tmp_path: Path, ended: list[float]) -> None:
    for name in ("a", "b"):
        leases.take(tmp_path / name, ended.append)
    leases.abandon()
    assert ended == [0, 0]


def _record(folder: Path, pid: int, text: str) -> Path:
    (folder / "leases").mkdir(exist_ok=True)
    path = folder / "leases" / f"{pid}-other.json"
    path.write_text(text)
    return path
