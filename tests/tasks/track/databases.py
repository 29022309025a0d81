"""Databases as an older MLflow or a killed process leaves them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def as_of_an_older_mlflow(path: Path) -> None:
    """Make a database with the tables of the revision before the newest, and an experiment called ``kept``."""
    from alembic import command
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    engine = utils.create_sqlalchemy_engine_with_retry(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    config = utils._get_alembic_config(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head-1")
    engine.dispose()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO experiments (name, lifecycle_stage) VALUES ('kept', 'active')")


def half_made(path: Path) -> None:
    """Say that a whole database is of an early revision: the next migration meets tables that are there already."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0584bdc529eb'")
