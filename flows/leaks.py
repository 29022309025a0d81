"""Before anything is trained or scored: no patient and no film of the test set is among what the arms learn from."""

from __future__ import annotations

from collections.abc import Iterable

from flows.session import Run
from storage.layout import DatasetRef
from tasks.ingest.ensure import SourceVersion, ensure_source
from tasks.ingest.leaks import check_leaks
from tasks.prefect_tasks import step
from tasks.pretrain.arms import Draw, Trial

HELD_OUT = ("validation", "test")
"""Sources of a recipe that nothing may be trained on."""


def refuse_leaks(run: Run, trials: Iterable[Trial]) -> None:
    """See that the run's test and validation sets share nothing with its training sets; what is found is kept.

    Raises:
        SourcesLeak: a patient or a film stands in both; the message gives the count, examples and the remedy.
    """
    named = run.recipe.sources.named()
    held_out = [ensure_source(run.store, named[name], run.progress.stage) for name in HELD_OUT if name in named]
    training = training_versions(draw for trial in trials for draw in trial.arm.mix)
    step("leaks", "look-for-leaks", lambda: check_leaks(run.store, training, held_out, run.progress.stage))


def training_versions(draws: Iterable[Draw]) -> list[SourceVersion]:
    """The versions that pairs are drawn from, each once, in the order of their names."""
    return sorted({SourceVersion(DatasetRef(draw.dataset, draw.version), draw.selection) for draw in draws}, key=str)
