"""The session of a flow run: its recipe, and the store, tracking and progress that are open for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.parameters import FlowParameters
from flows.progress import Progress
from flows.services.home import PROFILES, prepare
from flows.services.served import served
from storage import server as store_server
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.open import open_store
from storage.versions import VersionPlace
from tasks.pretrain.runs import run_name
from tasks.publish.dataset import find_version
from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import fingerprint, version_of
from tasks.recipe.paths import published
from tasks.recipe.profile import dump_published, dump_recipe, load_recipe, parse_recipe
from tasks.recipe.reading import parse_yaml
from tasks.recipe.schema import Recipe, StorageSection
from tasks.track.names import RECIPE

if TYPE_CHECKING:
    from tasks.track.tracker import TrackedRun


@dataclass(frozen=True, slots=True)
class Run:
    """The run that a stage belongs to: recipe, store, tracker and progress."""

    recipe: Recipe
    fingerprint: str
    ref: DatasetRef
    store: ObjectStore
    tracked: TrackedRun
    home: Path
    progress: Progress
    started: float = field(default_factory=time.perf_counter)

    @property
    def place(self) -> VersionPlace:
        """Where the recipe's dataset version is or will be."""
        return VersionPlace(self.store, self.ref)

    def for_subflow(self) -> dict[str, Any]:
        """The parameters of a subflow that works on the same recipe and joins this run in MLflow.

        Its recipe is handed over as text: an edit of the profile in mid-run must not split the run.
        """
        recipe = dump_recipe(self.recipe)
        return {"profile": self.recipe.profile, "recipe": recipe, "parent_run": self.tracked.id}

    @property
    def name(self) -> str:
        """The folder under ``runs/`` that lists the checkpoints and scores of this run."""
        return run_name(self.ref, self.recipe)


def recipe_of(flow: str, parameters: FlowParameters, *, checked: bool = True) -> Recipe:
    """The recipe that a flow's parameters ask for, with nothing wrong in it for the stages of that flow.

    With `checked` False it is only read: a flow on another version than the recipe's uses few of its sections.

    Raises:
        RecipeError: with all problems at once; or a whole recipe is given, and fields that would change it.
    """
    from tasks.check.check import FLOWS, check_recipe, checked_recipe  # loads the gates

    changes = parameters.changes()
    if parameters.recipe is None:
        if not checked:
            return load_recipe(parameters.profile, changes, PROFILES)
        return checked_recipe(parameters.profile, changes, PROFILES, FLOWS[flow])
    where = "parameter recipe"
    if changes:
        problem = f"it is the whole recipe, and {', '.join(changes)} would change it: give one of both"
        raise RecipeError(where, [problem])
    data = parse_yaml(parameters.recipe, where)
    if not isinstance(data, dict):
        raise RecipeError(where, ["it is no mapping: give what `recipe.yaml` of an MLflow run holds"])
    recipe = parse_recipe(data, where)
    if checked:
        check_recipe(recipe, FLOWS[flow])
    return recipe


def _weights_of(recipe: Recipe) -> dict[str, dict[str, str]]:
    from tasks.generate.weights_used import weights_used  # loads the gates, which a version that fits does not need

    return weights_used(recipe)


Need = Callable[[ObjectStore, Recipe, DatasetRef], None]
"""Raises a StoreError where the store lacks what a flow works on."""


@contextmanager
def open_run(
    flow: str, parameters: FlowParameters, *, needs: Need | None = None, checked: bool = True
) -> Iterator[Run]:
    """Open the store and tracking for the recipe of a flow run.

    A flow that is given the id of a parent's MLflow run writes below that run and does not end it; it may be the
    parent's subflow, or a deployment of its own in another process. A managed store stays up while any run uses it.

    Args:
        flow: its name.
        parameters: what it was asked for.
        needs: asked before anything is tracked or done.
        checked: whether the whole recipe is checked for the stages of the flow.

    Raises:
        RecipeError: something is wrong with the recipe; all of it at once.
        RecipeChanged: the version was made with a recipe of another fingerprint.
        TrackingError: MLflow cannot be opened, or `parent_run` names no run, or one of another recipe.
    """
    home = prepare()
    recipe = recipe_of(flow, parameters, checked=checked)
    mark = fingerprint(recipe)
    with open_storage(recipe.storage, home) as store:
        # A version that another recipe made is refused before anything is tracked or done.
        ref = DatasetRef(recipe.dataset, version_of(recipe))
        find_version(VersionPlace(store, ref), dump_published(recipe), mark, lambda: _weights_of(recipe))
        if needs is not None:
            needs(store, recipe, ref)
        with Progress() as progress, _tracked(flow, recipe, parameters.parent_run, (home, store, progress)) as tracked:
            run = Run(recipe, mark, ref, store, tracked, home, progress)
            if not parameters.parent_run:
                _describe(run)
            yield run


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
def _tracked(
    flow: str, recipe: Recipe, parent: str | None, place: tuple[Path, ObjectStore, Progress]
) -> Iterator[TrackedRun]:
    """A run of its own in MLflow, or the parent's."""
    from tasks.track.joining import join  # loads mlflow, which commands that only look at a store do not need
    from tasks.track.tracker import track

    home, store, progress = place
    managed = recipe.tracking.uri == "managed"
    artifacts = store.uri("mlflow") if managed else None
    with served(home, "mlflow", None if managed else recipe.tracking.uri, say=progress.say) as server:
        uri = (server or managed_tracking(home, progress.say)) if managed else recipe.tracking.uri
        if parent:
            with join(uri, parent, recipe=_sha256(recipe), store=store, say=progress.say) as tracked:
                yield tracked
            return
        name, experiment = f"{flow} {recipe.dataset} {version_of(recipe)}", recipe.tracking.experiment
        with track(uri, experiment, name, artifacts=artifacts, store=store, say=progress.say) as tracked:
            yield tracked


def managed_tracking(home: Path, say: Callable[[str], None]) -> str:
    """The address of the state folder's own database, which is there whole; for where no server runs."""
    from tasks.track.database import database_uri, ensure_database

    ensure_database(home / "mlflow.db", say)
    return database_uri(home / "mlflow.db")


def _describe(run: Run) -> None:
    run.tracked.params({"profile": run.recipe.profile, "fingerprint": run.fingerprint, "version": run.ref.version})
    run.tracked.params(_flatten(published(run.recipe.model_dump(mode="json"))))
    run.tracked.text(dump_published(run.recipe), "recipe.yaml")
    run.tracked.tags({RECIPE: _sha256(run.recipe)})


def _sha256(recipe: Recipe) -> str:
    return hashlib.sha256(dump_recipe(recipe).encode()).hexdigest()


def _flatten(value: Any, prefix: str = "recipe") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {k: v for key, item in value.items() for k, v in _flatten(item, f"{prefix}.{key}").items()}
