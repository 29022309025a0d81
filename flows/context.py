"""An open run: recipe, store, tracking and progress, shared by a flow and the subflows it calls."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.home import PROFILES, prepare
from flows.progress import Progress
from flows.services.processes import Services
from storage import server as store_server
from storage.layout import DatasetRef
from storage.objects import ObjectStore, open_store
from tasks.publish.dataset import find_version
from tasks.recipe.fingerprint import fingerprint, version_of
from tasks.recipe.paths import published
from tasks.recipe.profile import dump_published, load_recipe
from tasks.recipe.schema import Recipe, StorageSection

if TYPE_CHECKING:
    from tasks.track.tracker import TrackedRun


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a stage needs to know about the run it belongs to."""

    recipe: Recipe
    fingerprint: str
    ref: DatasetRef
    store: ObjectStore
    tracked: TrackedRun
    home: Path
    progress: Progress
    started: float = field(default_factory=time.perf_counter)

    @property
    def name(self) -> str:
        """The folder under ``runs/`` for checkpoints, scores and figures: other training settings, another folder."""
        return f"{self.ref.name}-{self.ref.version}-{training_mark(self.recipe)}"


def training_mark(recipe: Recipe) -> str:
    """Eight letters that change with anything that changes checkpoints or scores."""
    parts = (recipe.seed, recipe.pretrain, recipe.evaluate, recipe.sources, recipe.curate.name)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


_OPEN: dict[tuple[Any, ...], Run] = {}


def recipe_of(
    profile: str,
    pairs: int | None,
    dataset: str | None,
    seed: int | None,
    engine: str | None,
    storage_root: str | None,
    overrides: Sequence[str],
) -> Recipe:
    """A recipe from a profile and the flat parameters that a deployment takes; None leaves the profile's value."""
    flat = {"pairs": pairs, "dataset": dataset, "seed": seed, "engine": engine, "storage.root": storage_root}
    changed = [f"{key}={value}" for key, value in flat.items() if value is not None]
    return load_recipe(profile, [*changed, *overrides], PROFILES)


@contextmanager
def open_run(
    flow: str,
    profile: str,
    pairs: int | None,
    dataset: str | None,
    seed: int | None,
    engine: str | None,
    storage_root: str | None,
    overrides: Sequence[str],
) -> Iterator[Run]:
    """Open the store and tracking for a recipe given as `recipe_of` takes it.

    A subflow that is asked for the same joins the open run, without reading the profile again: an edit of the
    profile in mid-run must not split the run. A managed store stays up while any run uses it.
    """
    asked = (profile, pairs, dataset, seed, engine, storage_root, tuple(overrides))
    if asked in _OPEN:
        yield _OPEN[asked]
        return
    from tasks.check.check import FLOWS, check_recipe  # loads the gates, which commands on a store do not need

    home = prepare()
    recipe = recipe_of(*asked)
    check_recipe(recipe, FLOWS[flow])
    mark = fingerprint(recipe)
    with open_storage(recipe.storage, home) as store:
        # A version that another recipe made is refused before anything is tracked or done.
        ref = DatasetRef(recipe.dataset, version_of(recipe))
        find_version(store, ref, dump_published(recipe), mark)
        with Progress() as progress, _tracked(recipe, home, store, flow, progress) as tracked:
            run = Run(recipe, mark, ref, store, tracked, home, progress)
            _describe(run)
            _OPEN[asked] = run
            try:
                yield run
            finally:
                del _OPEN[asked]


@contextmanager
def open_storage(section: StorageSection, home: Path, *, writes: bool = True) -> Iterator[ObjectStore]:
    """Open a store; a managed one is started where it does not run, and ended by the last that leaves it.

    Args:
        section: where the store is.
        home: the state folder, for a managed store.
        writes: prove first that the store can be written, and never overwrites; False writes nothing, and ends no
            managed store that others started.
    """
    if section.root != "managed":
        store = open_store(section.root, endpoint=section.endpoint, region=section.region)
        if writes:
            store.check()
        yield store
        return
    with store_server.use(home, reads=not writes) as address:
        store = address.store()
        if writes:
            store.check()
        yield store


@contextmanager
def _tracked(recipe: Recipe, home: Path, store: ObjectStore, flow: str, progress: Progress) -> Iterator[TrackedRun]:
    from tasks.track.tracker import track  # loads mlflow, which commands that only look at a store do not need

    uri, artifacts = recipe.tracking.uri, None
    if uri == "managed":
        uri, artifacts = managed_tracking(home, progress.say), store.uri("mlflow")
    name = f"{flow} {recipe.dataset} {version_of(recipe)}"
    with track(uri, recipe.tracking.experiment, name, artifacts=artifacts, store=store, say=progress.say) as tracked:
        yield tracked


def managed_tracking(home: Path, say: Callable[[str], None]) -> str:
    """The address of the MLflow server that `synth serve` runs, or of a database that is there whole."""
    from tasks.track.database import database_uri, ensure_database

    server = Services.load(home).get("mlflow")
    if server and server.url:
        return server.url
    ensure_database(home / "mlflow.db", say)
    return database_uri(home / "mlflow.db")


def _describe(run: Run) -> None:
    run.tracked.params({"profile": run.recipe.profile, "fingerprint": run.fingerprint, "version": run.ref.version})
    run.tracked.params(_flatten(published(run.recipe.model_dump(mode="json"))))
    run.tracked.text(dump_published(run.recipe), "recipe.yaml")


def _flatten(value: Any, prefix: str = "recipe") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {k: v for key, item in value.items() for k, v in _flatten(item, f"{prefix}.{key}").items()}
