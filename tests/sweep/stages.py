"""The stages of a run without Prefect and without a model: what they read is read by the same code as in a run."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from flows.cli.explained import explained
from flows.services.home import PROFILES, prepare
from flows.session import open_storage
from storage.layout import DatasetRef
from storage.ledger import committed_shards, load_reports
from storage.objects import ObjectStore
from storage.versions import Version, VersionPlace
from tasks.check.check import FLOWS, checked_recipe
from tasks.curate.keep import decide
from tasks.evaluate.evaluate import read_scores
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.predictions import read_predictions
from tasks.ingest.ensure import find_source
from tasks.plan.plan import make_plan
from tasks.pretrain.checkpoint import read_checkpoint, read_weights
from tasks.pretrain.offers import offer
from tasks.pretrain.runs import check_sources, read_trials
from tasks.pretrain.subset import open_subset
from tasks.publish.dataset import find_version
from tasks.recipe.fingerprint import fingerprint, version_of
from tasks.recipe.profile import dump_recipe
from tasks.recipe.schema import Recipe
from tests.sweep.world import RUN

Stage = Callable[[ObjectStore, DatasetRef, Recipe, str], None]


def replace_models() -> None:
    """In a process that runs one command: what would start a server or load weights is left out."""
    importlib.import_module("flows.cli.app")  # every module with a command
    for name, module in list(sys.modules.items()):
        if name.startswith("flows.cli.") and hasattr(module, "run_flow"):
            module.run_flow = _run  # type: ignore[attr-defined]
    import models.gates.training_index
    import models.registry
    import tasks.fidelity.report as fidelity

    index = SimpleNamespace(encoder="e", limit=0.5, films=np.zeros(1), nearest=_leave, figures={})
    models.gates.training_index.load_index = lambda *_: index  # type: ignore[assignment, return-value]
    models.registry.build = lambda *_: None  # type: ignore[assignment]
    fidelity._encoder = lambda *_: None  # type: ignore[assignment, return-value]
    fidelity.report = _leave  # type: ignore[assignment]


def _leave(*_: Any, **__: Any) -> NoReturn:
    """Everything was read: the rest is arithmetic."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _run(name: str, profile: str, changes: Sequence[str] | None) -> NoReturn:
    with explained():
        home = prepare()
        recipe = checked_recipe(profile, changes or [], PROFILES, FLOWS[name])
        mark = fingerprint(recipe)
        ref = DatasetRef(recipe.dataset, version_of(recipe))
        with open_storage(recipe.storage, home, writes=False) as store:
            find_version(VersionPlace(store, ref), dump_recipe(recipe), mark)
            _STAGES[name](store, ref, recipe, mark)
    _leave()


def _generate(store: ObjectStore, ref: DatasetRef, recipe: Recipe, mark: str) -> None:
    plan = make_plan(recipe, mark)
    if find_version(VersionPlace(store, ref), dump_recipe(recipe), mark) is None:
        for shard in committed_shards(store, ref):
            load_reports(store, ref, shard)
    str(plan.report(min(plan.pairs, 64)))


def _curate(store: ObjectStore, ref: DatasetRef, recipe: Recipe, mark: str) -> None:
    del mark
    decide(Version.open(store, ref), recipe.curate)


def _pretrain(store: ObjectStore, ref: DatasetRef, recipe: Recipe, mark: str) -> None:
    del mark
    draw = offer(store, recipe, ref, "synthetic", partial(find_source, store))
    for sample in open_subset(store, draw, recipe.seed).read():
        assert sample.key
    for held in read_trials(store, RUN).trials:
        read_weights(store, read_checkpoint(store, held.fingerprint))


def _evaluate(store: ObjectStore, ref: DatasetRef, recipe: Recipe, mark: str) -> None:
    del recipe
    trials = read_trials(store, RUN)
    check_sources(store, trials, ref, mark)
    for held in trials.trials:
        read_weights(store, read_checkpoint(store, held.fingerprint))
    test = LabelledSet(Version.open(store, ref))
    assert len(test.images(64)) == len(test.truth(["pneumothorax"]))
    for keys in read_scores(store, RUN).predictions.values():
        for key in keys:
            read_predictions(store, key)


_STAGES: dict[str, Stage] = {
    "generate": _generate,
    "synth": _generate,
    "curate": _curate,
    "pretrain": _pretrain,
    "evaluate": _evaluate,
}
