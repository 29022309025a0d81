"""A Prefect server for the flows' tests, and small runs with a store and a state folder of their own."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Mapping
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

    @staticmethod
    def at(folder: Path, tracked_home: Path) -> SmallFactory:
        """An empty one in `folder`."""
        shutil.copytree(tracked_home, folder / "home")
        return SmallFactory(folder / "home", LocalStore(folder / "store"))

    def copy(self, folder: Path) -> SmallFactory:
        """The same in `folder`, with all that it holds."""
        shutil.copytree(self.home.parent, folder, dirs_exist_ok=True)
        return SmallFactory(folder / "home", LocalStore(folder / "store"))

    def parameters(self, *overrides: str, **fields: Any) -> dict[str, Any]:
        """Parameters of a flow: the profile ``fast``, smaller, on this store."""
        small = (
            "pairs=8",
            "sources.real.films=8",
            "sources.test.films=40",
            "pretrain.samples_seen=16",
            "pretrain.only=[real, synthetic]",
        )
        return {"profile": FAST, "overrides": [*small, f"storage.root={self.store.root}", *overrides], **fields}

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
    """A place for small runs, with nothing in it."""
    made = SmallFactory.at(tmp_path, tracked_home)
    monkeypatch.setenv("SYNTHCXR_HOME", str(made.home))
    return made


class Stages:
    """What the store holds before each stage: made once, by the flows themselves, and copied for each test."""

    def __init__(self, folder: Path, tracked_home: Path) -> None:
        self._folder, self._last = folder, SmallFactory.at(folder / "empty", tracked_home)
        self._after: dict[str, SmallFactory] = {}

    def after(self, name: str) -> SmallFactory:
        """A factory in which the flows up to `name` have run."""
        for stage in ("generate", "curate", "pretrain", "evaluate"):
            if stage not in self._after:
                made = self._last.copy(self._folder / stage)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("SYNTHCXR_HOME", str(made.home))
                    run_flow(stage, made.parameters())
                self._after[stage] = self._last = made
            if stage == name:
                break
        return self._after[name]


def run_flow(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Run a flow in this process, as a worker does."""
    return getattr(importlib.import_module(f"flows.{name}"), name)(**parameters)


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory, tracked_home: Path, prefect_server: str) -> Stages:
    """The states of a small factory between its stages."""
    assert prefect_server
    return Stages(tmp_path_factory.mktemp("stages"), tracked_home)


@pytest.fixture
def factory_after(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SmallFactory]:
    """A factory of the test's own, in which the flows up to the named one have run."""

    def take(name: str) -> SmallFactory:
        made = stages.after(name).copy(tmp_path)
        monkeypatch.setenv("SYNTHCXR_HOME", str(made.home))
        return made

    return take
