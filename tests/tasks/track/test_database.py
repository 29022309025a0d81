"""MLflow's database is whole or not there, whatever happens to the processes that make it."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from storage.errors import ServiceError, StoreError
from storage.locks import locked
from tasks.track import database
from tasks.track.database import database_uri, ensure_database
from tasks.track.errors import TrackingError
from tests.tasks.track.databases import half_made

Sql = Callable[..., list[tuple[object, ...]]]
MAKE = (
    "import sys, pathlib; from tasks.track.database import ensure_database; "
    "ensure_database(pathlib.Path(sys.argv[1]), print)"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "mlflow.db"


@pytest.fixture(autouse=True)
def _folder(path: Path) -> None:
    path.parent.mkdir()


def names(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()} - {"mlflow.db.lock"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_run_makes_a_private_database_and_the_next_leaves_it_alone(whole: Path, said: list[str]) -> None:
    assert mode(whole) == 0o600
    before = whole.read_bytes()
    ensure_database(whole, said.append)
    assert whole.read_bytes() == before
    assert said == []
    assert MlflowClient(database_uri(whole)).search_experiments(max_results=1) is not None


def test_a_database_that_others_could_read_is_made_private(path: Path, whole: Path, said: list[str]) -> None:
    shutil.copy(whole, path)
    path.chmod(0o644)
    ensure_database(path, said.append)
    assert mode(path) == 0o600


def test_a_half_made_one_is_kept_aside_and_told_in_one_line(
    path: Path, whole: Path, said: list[str], remade: list[Path]
) -> None:
    shutil.copy(whole, path)
    half_made(path)
    path.chmod(0o644)
    spoilt = path.read_bytes()
    ensure_database(path, said.append)
    assert remade == [path]
    (aside,) = names(path) - {"mlflow.db"}
    assert aside.startswith("mlflow.db.broken-20")
    assert path.with_name(aside).read_bytes() == spoilt
    assert mode(path.with_name(aside)) == 0o600
    assert len(said) == 1
    assert len(said[0].splitlines()) == 1
    assert "half made" in said[0]
    assert aside in said[0]
    ensure_database(path, said.append)
    assert len(said) == 1


@pytest.fixture
def remade(monkeypatch: pytest.MonkeyPatch, whole: Path) -> list[Path]:
    """Fresh databases are copies of one that is made already; which were asked for."""
    asked: list[Path] = []
    migrate = database._migrate

    def quick(draft: Path) -> None:
        if draft.stat().st_size:
            migrate(draft)
        else:
            asked.append(draft.with_suffix(""))
            draft.write_bytes(whole.read_bytes())

    monkeypatch.setattr(database, "_migrate", quick)
    return asked


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4080])
@pytest.mark.usefixtures("remade")
def test_a_damaged_one_is_kept_aside(path: Path, said: list[str], content: bytes) -> None:
    path.write_bytes(content)
    ensure_database(path, said.append)
    assert "damaged" in said[0]
    assert [path.with_name(name).read_bytes() for name in names(path) - {"mlflow.db"}] == [content]


@pytest.mark.usefixtures("remade")
def test_one_that_is_cut_short_is_kept_aside(path: Path, whole: Path, said: list[str]) -> None:
    path.write_bytes(whole.read_bytes()[:200_000])
    ensure_database(path, said.append)
    assert "damaged" in said[0]


@pytest.mark.usefixtures("remade")
def test_an_empty_file_is_no_database_yet(path: Path, said: list[str], sql: Sql) -> None:
    path.touch()
    ensure_database(path, said.append)
    assert said == []
    assert sql(path, "SELECT count(*) FROM alembic_version") == [(1,)]


@pytest.mark.usefixtures("remade")
def test_tables_without_a_revision_are_half_made(path: Path, said: list[str], sql: Sql) -> None:
    sql(path, "CREATE TABLE experiments (experiment_id INTEGER)")
    ensure_database(path, said.append)
    assert "half made" in said[0]


def test_one_of_an_older_mlflow_is_migrated_with_what_it_holds(
    path: Path, older: Path, said: list[str], sql: Sql
) -> None:
    shutil.copy(older, path)
    sql(path, "PRAGMA journal_mode = WAL")
    ensure_database(path, said.append)
    assert "migrated" in said[0]
    assert len(said) == 1
    assert sql(path, "SELECT name FROM experiments") == [("kept",)]
    assert names(path) == {"mlflow.db"}
    assert mode(path) == 0o600


def test_one_of_a_newer_mlflow_is_named_and_left_alone(path: Path, whole: Path, said: list[str], sql: Sql) -> None:
    shutil.copy(whole, path)
    sql(path, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    before = path.read_bytes()
    with pytest.raises(TrackingError, match=r"mlflow\.db was made by another MLflow.*ffffffffffff.*install"):
        ensure_database(path, said.append)
    assert path.read_bytes() == before


def test_another_programs_database_is_left_alone(path: Path, said: list[str], sql: Sql) -> None:
    sql(path, "CREATE TABLE flow_run (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(TrackingError, match="another program"):
        ensure_database(path, said.append)
    assert path.read_bytes() == before


def test_a_broken_one_that_is_not_ours_is_not_moved(path: Path, said: list[str]) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(TrackingError, match=r"damaged.*move it away.*tracking\.uri"):
        ensure_database(path, said.append, ours=False)
    assert names(path) == {"mlflow.db"}


def test_a_locked_one_is_told_within_seconds(
    path: Path, whole: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_LOCKED", 0.2)
    shutil.copy(whole, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"mlflow\.db.*locked.*another program"):
            ensure_database(path, said.append)


def test_a_folder_that_cannot_be_written_is_told(said: list[str]) -> None:
    with pytest.raises(ServiceError, match=r"/proc/mlflow\.db.*writable"):
        ensure_database(Path("/proc/mlflow.db"), said.append)


def test_a_folder_in_its_place_is_told(path: Path, said: list[str]) -> None:
    path.mkdir()
    with pytest.raises(TrackingError, match=r"mlflow\.db.*cannot be used"):
        ensure_database(path, said.append)


def test_a_full_disk_spoils_nothing(path: Path, older: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "_migrate", full)
    shutil.copy(older, path)
    before = path.read_bytes()
    with pytest.raises(TrackingError, match=r"disk is full.*make room"):
        ensure_database(path, said.append)
    assert path.read_bytes() == before
    assert said == []


def test_a_process_that_makes_it_is_waited_for_and_that_is_said(
    path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_WAITS", 1.5)
    with locked(path.with_name("mlflow.db.lock")), pytest.raises(StoreError, match=r"mlflow\.db\.lock is locked"):
        ensure_database(path, said.append)
    assert ["waiting" in line for line in said] == [True]


@pytest.mark.parametrize("step", ["_begin", "_migrate", "_put", "_sync", "_set_aside"])
@pytest.mark.usefixtures("remade")
def test_a_death_at_any_step_leaves_a_state_from_which_the_next_start_goes_on(
    path: Path, whole: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Death(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Death

    shutil.copy(whole, path)
    half_made(path)
    with monkeypatch.context() as patched:
        patched.setattr(database, step, dies)
        with pytest.raises(Death):
            ensure_database(path, said.append)
    ensure_database(path, said.append)
    assert MlflowClient(database_uri(path)).get_experiment_by_name("nosuch") is None


@pytest.mark.usefixtures("remade")
def test_the_journal_of_a_database_that_is_gone_does_not_spoil_the_new_one(path: Path, said: list[str]) -> None:
    for side in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + side).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\x01" * 600)
    ensure_database(path, said.append)
    assert MlflowClient(database_uri(path)).get_experiment_by_name("nosuch") is None


@pytest.mark.parametrize("folder", ["with space", "per%20cent", "ask?me", "mark#", "ünïcode", "quote'\""])
def test_a_folder_of_any_name_will_do(tmp_path: Path, whole: Path, said: list[str], folder: str) -> None:
    path = tmp_path / folder / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(whole, path)
    ensure_database(path, said.append)
    assert said == []
    MlflowClient(database_uri(path)).create_experiment("here")
    with closing(sqlite3.connect(path)) as made:
        assert ("here",) in made.execute("SELECT name FROM experiments").fetchall()


@pytest.mark.chaos
def test_kills_at_random_moments_and_two_at_once(path: Path) -> None:
    rng = random.Random(14)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", MAKE, str(path)], start_new_session=True)
        until = time.monotonic() + rng.uniform(1.5, 6)
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    command = [sys.executable, "-c", MAKE, str(path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = [process.communicate(timeout=250)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert names(path) == {"mlflow.db"}
    MlflowClient(database_uri(path)).create_experiment("alive")
