"""MLflow's SQLite database: there whole or not at all, and made by one process at a time.

MLflow makes and migrates its tables in place, in many steps; a process that is killed in between leaves a database
that no later one can use. Here every migration happens in a file beside it, which takes its place when it is done.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from storage.locks import locked
from tasks.track.errors import TrackingError
from tasks.track.quiet import quiet

_SIDES = ("-wal", "-shm", "-journal")
_LOCKED = 4.0  # seconds for another program to finish what it writes
_WAITS = 300.0  # seconds for another process to make the database
_CHECKED = 64 << 20  # bytes up to which a database is read whole
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _Broken(Exception):
    """The file is no usable database of MLflow's; the message states what it is."""


def ensure_database(path: Path, say: Callable[[str], None], *, ours: bool = True) -> None:
    """Make sure that `path` is a whole database of the installed MLflow, readable by its owner alone.

    Args:
        path: the SQLite file; made where it is missing, migrated where an older MLflow made it.
        say: called with one line when a database is migrated, set aside or waited for.
        ours: whether a broken one may be set aside, under a name with the date; otherwise it is an error.

    Raises:
        TrackingError: it is locked, cannot be written, is of a newer MLflow or of another program.
    """
    known = _revisions()
    with _told(path):
        if _is_whole(path, known):
            _make_private(path, ours)
            return
        with locked(path.with_name(f"{path.name}.lock"), wait=_WAITS, say=say):
            if not _is_whole(path, known):
                _make(path, known, say, ours)
        _make_private(path, ours)


def database_uri(path: Path) -> str:
    """`path` as MLflow takes it."""
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"


def _make(path: Path, known: list[str], say: Callable[[str], None], ours: bool) -> None:
    """Put a migrated database at `path`, whatever is there; the lock is ours."""
    draft = path.with_name(f"{path.name}.new")
    try:
        old = _revision(path)
        if old is not None and old not in known:
            raise TrackingError(
                f"{path} was made by another MLflow (its revision {old} is not known to MLflow {_version()}): "
                "install the MLflow that made it, or move the file away"
            )
        if old is not None:
            _migrate_copy(path, draft)
            say(f"{path} was of an older MLflow and is migrated to {_version()}")
            return
    except _Broken as broken:
        if not ours:
            raise TrackingError(f"{path} {broken}: move it away, or give tracking.uri another file") from broken
        aside = _set_aside(path)
        say(f"{path} {broken}: it is kept as {aside.name}, and a new one is made")
    _begin(draft)
    _migrate(draft)
    _put(draft, path)


def _migrate_copy(path: Path, draft: Path) -> None:
    """Copy, migrate the copy, and put it in its place; the old one must not be written meanwhile."""
    with closing(_open(path)) as guard:
        guard.execute("PRAGMA journal_mode = DELETE")
        guard.execute("BEGIN IMMEDIATE")
        _begin(draft)
        with closing(_open(path)) as old, closing(_open(draft)) as copy:
            old.backup(copy)
        try:
            _migrate(draft)
        except Exception as error:  # whatever a migration raises on tables that are not as they should be
            if _is_full(error):
                raise
            raise _Broken(f"was left half made ({_first_line(error)})") from error
        _put(draft, path)


def _migrate(draft: Path) -> None:
    """Bring `draft` to the newest revision, by the command ``mlflow db upgrade``; an empty one is given all tables."""
    from mlflow.db import upgrade

    try:
        with quiet():
            upgrade.callback(database_uri(draft))  # pyright: ignore[reportOptionalCall]
    except Exception as error:  # SQLAlchemy's, around SQLite's own
        if isinstance(error.__cause__, sqlite3.Error):
            raise error.__cause__ from None
        raise


def _put(draft: Path, path: Path) -> None:
    """Let `draft` take the place of `path`, on disk before this returns."""
    for side in _sides(path):  # of a database that is gone: SQLite would play them into the new one
        side.unlink(missing_ok=True)
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _set_aside(path: Path) -> Path:
    """Rename `path` and what SQLite keeps beside it; the database goes first, so that no new one meets its journal."""
    stamp = f"{path.name}.broken-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    taken = {other.name for other in path.parent.iterdir()}
    name = next(name for name in (stamp, *(f"{stamp}-{number}" for number in range(1, 1000))) if name not in taken)
    for side in ("", *_SIDES):
        source = path.with_name(path.name + side)
        if source.exists():
            source.chmod(0o600)
            source.rename(path.with_name(name + side))
    return path.with_name(name)


def _is_whole(path: Path, known: list[str]) -> bool:
    try:
        return _revision(path) == known[0]
    except _Broken:
        return False


def _revision(path: Path) -> str | None:
    """The revision of the tables in `path`; None where there are none.

    Raises:
        _Broken: damaged, or with tables but without a revision.
        TrackingError: another program's.
    """
    if not path.exists():
        return None
    try:
        with closing(_open(path)) as database:
            database.execute("BEGIN IMMEDIATE")  # a lock is met now, not in the middle of a run
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            stamped = "alembic_version" in tables
            versions = database.execute("SELECT version_num FROM alembic_version").fetchall() if stamped else []
            sound = path.stat().st_size > _CHECKED or database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGED:
            raise _Broken(f"is damaged ({error})") from error
        raise
    if not sound:
        raise _Broken("is damaged")
    if tables and "experiments" not in tables:
        raise TrackingError(f"{path} is a database of another program: give tracking.uri another file")
    if tables and len(versions) != 1:
        raise _Broken("was left half made")
    return versions[0][0] if versions else None


def _revisions() -> list[str]:
    """The revisions of the installed MLflow, the newest first."""
    import mlflow
    from alembic.script import ScriptDirectory

    folder = Path(mlflow.__file__).parent / "store" / "db_migrations"
    return [script.revision for script in ScriptDirectory(str(folder)).walk_revisions()]


def _version() -> str:
    from mlflow.version import VERSION

    return VERSION


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's errors and the file system's about `path`, in one line with the remedy."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            remedy = "another program holds it: close that program"
        elif _is_full(error):
            remedy = "make room on that disk"
        else:
            remedy = "make it and its folder writable, or set SYNTHCXR_HOME or tracking.uri to another place"
        raise TrackingError(f"MLflow's database {path} cannot be used ({_first_line(error)}): {remedy}") from error


def _is_full(error: BaseException) -> bool:
    """Whether the disk, not the data, is the trouble."""
    return any(sign in str(error) for sign in ("is full", "disk I/O error", "No space left", "quota"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_LOCKED, isolation_level=None)


def _begin(draft: Path) -> None:
    """An empty file, in the place of what a killed process left."""
    for left in (draft, *_sides(draft)):
        left.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sides(path: Path) -> list[Path]:
    return [path.with_name(path.name + side) for side in _SIDES]


def _make_private(path: Path, ours: bool) -> None:
    """Nobody else reads what was logged; SQLite gives the files beside it the same mode."""
    for file in (path, *_sides(path)) if ours else ():
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)
