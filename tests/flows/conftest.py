"""A Prefect server for the flows' tests, and small runs with a store and a state folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from flows.session import managed_tracking
from storage.local import LocalStore

FAST = str(Path(__file__).parents[1] / "profiles" / "fast.yaml")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The address of a Prefect API with a database of its own; flows use it while the fixture lives."""
    from prefect.settings import get_current_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        url = get_current_settings().api.url
        assert url is not None
        yield url


@pytest.fixture(scope="session")
def tracked_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a whole database of MLflow's, to be copied: making one takes seconds."""
    home = tmp_path_factory.mktemp("home")
    managed_tracking(home, print)
    return home


@dataclass(frozen=True, slots=True)
class SmallFactory:
    """A state folder and a store for flows of the profile ``fast``."""

    home: Path
    store: LocalStore

    def parameters(self, *overrides: str, **fields: Any) -> dict[str, Any]:
        """Parameters of a flow: the profile ``fast``, smaller, on this store."""
        small = ("pairs=8", "sources.real.films=8", "sources.test.films=40", f"storage.root={self.store.root}")
        return {"profile": FAST, "overrides": [*small, *overrides], **fields}

    def runs(self) -> list[Run]:
        """All MLflow runs, the oldest first."""
        client = MlflowClient(f"sqlite:///{self.home}/mlflow.db")
        experiments = [one.experiment_id for one in client.search_experiments()]
        return list(client.search_runs(experiments, order_by=["attributes.start_time ASC"]))

    def objects(self) -> dict[str, int]:
        """When each object of the store was written, but for what MLflow keeps there."""
        keys = [info.key for info in self.store.list("") if not info.key.startswith("mlflow/")]
        return {key: Path(self.store.root, key).stat().st_mtime_ns for key in keys}


@pytest.fixture
def factory(tmp_path: Path, tracked_home: Path, monkeypatch: pytest.MonkeyPatch) -> SmallFactory:
    """A place for small runs."""
    home = tmp_path / "home"
    shutil.copytree(tracked_home, home)
    monkeypatch.setenv("SYNTHCXR_HOME", str(home))
    return SmallFactory(home, LocalStore(tmp_path / "store"))
