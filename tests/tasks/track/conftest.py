"""MLflow's databases, made once: it takes seconds to make one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tasks.track.database import database_uri, ensure_database
from tests.tasks.track.databases import as_of_an_older_mlflow


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the installed MLflow; copy it."""
    path = tmp_path_factory.mktemp("whole") / "mlflow.db"
    ensure_database(path, print)
    return path


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole database of an older MLflow, with an experiment in it; copy it."""
    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    as_of_an_older_mlflow(path)
    return path


@pytest.fixture
def uri(whole: Path, tmp_path: Path) -> str:
    """The address of a database of the test's own."""
    return database_uri(Path(shutil.copy(whole, tmp_path / "mlflow.db")))


@pytest.fixture
def said() -> list[str]:
    """What was told; its `append` is the listener."""
    return []


@pytest.fixture
def sql() -> Callable[..., list[tuple[object, ...]]]:
    """Ask a database file."""

    def ask(path: Path, *statements: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(path)) as database, database:
            return [row for statement in statements for row in database.execute(statement).fetchall()]

    return ask
