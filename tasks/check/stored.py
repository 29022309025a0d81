"""What a flow needs in the store before it begins, checked before anything is tracked or done."""

from __future__ import annotations

from storage.errors import DatasetMissing, ObjectMissing
from storage.layout import DatasetRef, selection_key
from storage.objects import ObjectStore
from storage.versions import open_dataset
from tasks.pretrain.arms import needed_sources
from tasks.pretrain.runs import read_trials, run_name
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
    """The recipe's version must be there to train on, if the arms learn from it.

    Raises:
        DatasetMissing, ObjectMissing: see `need_selection`.
    """
    if SYNTHETIC in needed_sources(recipe.pretrain):
        need_selection(store, recipe, ref)


def need_checkpoints(store: ObjectStore, recipe: Recipe, ref: DatasetRef) -> None:
    """The run's trials must be trained.

    Raises:
        ObjectMissing: they are not; the message states what to run.
        CorruptShard: the list of trials cannot be read.
    """
    read_trials(store, run_name(ref, recipe))
