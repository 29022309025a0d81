"""What a flow needs in the store before it begins, checked before anything is tracked or done."""

from __future__ import annotations

from functools import partial

from storage.errors import DatasetMissing, ObjectMissing
from storage.layout import DatasetRef, selection_key
from storage.objects import ObjectStore
from storage.versions import open_dataset
from tasks.ingest.ensure import find_source
from tasks.pretrain.arms import mixed_sources, needed_sources, plan_trials
from tasks.pretrain.offers import offers
from tasks.pretrain.runs import find_trained, no_trials, read_trials, run_name, trials_key
from tasks.recipe.schema import Recipe
from tasks.recipe.training import SYNTHETIC


def need_version(store: ObjectStore, recipe: Recipe, ref: DatasetRef) -> None:
    """The recipe's version must be published.

    Raises:
        DatasetMissing: it is not; the message states what to run.
    """
    try:
        open_dataset(store, ref)
    except DatasetMissing as error:
        raise DatasetMissing(f"{error}: generate it first (`synth generate --profile {recipe.profile}`)") from error


def need_selection(store: ObjectStore, recipe: Recipe, ref: DatasetRef) -> None:
    """The recipe's version must be published and curated by its rules.

    Raises:
        DatasetMissing: it is not published.
        ObjectMissing: it is not curated by these rules.
    """
    need_version(store, recipe, ref)
    key = selection_key(ref, recipe.curate.name, "selection.parquet")
    if store.head(key) is None:
        raise ObjectMissing(
            f"no selection {recipe.curate.name!r} of {ref}: {store.uri(key)} is missing; curate it first "
            f"(`synth curate --profile {recipe.profile}`)"
        )


def need_pairs(store: ObjectStore, recipe: Recipe, ref: DatasetRef) -> None:
    """The recipe's version must be there to train on, if the chosen arms learn from it.

    Where it only decides how many pairs they have, it may be missing, but not be without its selection.

    Raises:
        DatasetMissing, ObjectMissing: see `need_selection`.
    """
    if SYNTHETIC in needed_sources(recipe.pretrain):
        try:
            need_selection(store, recipe, ref)
        except DatasetMissing:
            if SYNTHETIC in mixed_sources(recipe.pretrain):
                raise


def need_checkpoints(store: ObjectStore, recipe: Recipe, ref: DatasetRef) -> None:
    """The run's trials must be trained, by this run or by others.

    Raises:
        ObjectMissing: they are not; the message states what to run.
        CorruptShard: the list of trials, or a checkpoint where there is no list, cannot be read.
        ArmsDoNotFit: there is no list, and the sources cannot give an arm its pairs.
    """
    run = run_name(ref, recipe)
    if store.head(trials_key(run)) is not None:
        read_trials(store, run)
        return
    try:
        trials = plan_trials(recipe.pretrain, offers(store, recipe, ref, partial(find_source, store)))
    except (DatasetMissing, ObjectMissing) as error:
        raise ObjectMissing(f"{no_trials(store, run)} ({error})") from error
    find_trained(store, run, trials, recipe.pretrain)
