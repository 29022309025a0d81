"""Evaluate the arms of a run on a labelled dataset and keep the table in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing
from storage.layout import DatasetRef, run_key
from storage.png import decode_png
from storage.shards import read_samples, row_of
from storage.versions import open_dataset, tar_keys
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import all_prompts
from tasks.evaluate.score import PROTOCOL, score_arms
from tasks.evaluate.scores import ScoreTable
from tasks.evaluate.zero_shot import zero_shot
from tasks.pretrain.checkpoint import checkpoint_key, read_checkpoint
from tasks.recipe.schema import EvaluateSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore


class ScoresConflict(RuntimeError):
    """The store holds other scores of the same run."""


@dataclass(frozen=True, slots=True)
class LabelledFilms:
    """Films (n, size, size) uint8 with their ids, and labels (n, findings) as their rows hold them."""

    dataset: str
    films: np.ndarray
    labels: Sequence[Sequence[Any]]
    findings: tuple[str, ...]
    ids: tuple[str, ...] = ()


def scores_key(run: str) -> str:
    """Where the table of a run is."""
    return run_key(run, "scores.json")


def load_labelled(store: ObjectStore, ref: DatasetRef, size: int) -> LabelledFilms:
    """All films of a dataset version at `size`, with the labels its rows hold.

    Raises:
        DatasetMissing, CorruptShard: from the store.
        CannotScore: the dataset has no films, or a sample lacks the label of a finding that the prompts ask for.
    """
    from models.vlp.views import fit_film

    names = tuple(item.label for item in all_prompts())
    films, labels, ids = [], [], []
    for sample in read_samples(store, tar_keys(ref, open_dataset(store, ref))):
        known = row_of(sample, str(ref)).labels
        missing = [name for name in names if name not in known]
        if missing:
            raise CannotScore(f"sample {sample.key} of {ref} has no label for {missing[0]!r}: it cannot be a test set")
        ids.append(sample.key)
        films.append(fit_film(decode_png(sample.png), size))
        labels.append([known[name] for name in names])
    if not films:
        raise CannotScore(f"dataset {ref} holds no films: nothing to evaluate on")
    return LabelledFilms(str(ref), np.stack(films), labels, names, tuple(ids))


def evaluate_run(
    store: ObjectStore, run: str, arms: Sequence[str], ref: DatasetRef, section: EvaluateSection, *, model: str
) -> ScoreTable:
    """Score the checkpoints of `arms` on `ref`, all on the same films, prompts and resamples; once per run.

    Args:
        store, run: where the checkpoints are, and where ``scores.json`` goes.
        arms: names, in the order of the table.
        ref: the held-out dataset; its rows hold the labels.
        section: bootstrap, confidence, and what becomes of uncertain labels.
        model: open_clip name that the checkpoints belong to.

    Raises:
        ValueError: an arm has no checkpoint in this run.
        CannotScore: labels or scores that no metric can take.
        ScoresConflict: the run's ``scores.json`` says something else.
    """
    from models.vlp.model import film_size, load

    kept = kept_scores(store, run)
    asked = (str(ref), tuple(arms), section.bootstrap, section.confidence, PROTOCOL, section.uncertain)
    if kept is not None and _asked(kept) == asked:
        return kept
    held = load_labelled(store, ref, film_size(model))
    predictions = {}
    for arm in arms:
        trained = read_checkpoint(store, run, arm)
        if trained is None:
            raise ValueError(f"{checkpoint_key(run, arm)} is missing: pretrain arm {arm!r} first")
        try:
            network = load(trained.checkpoint, model)
        except ValueError as error:
            why = " ".join(str(error).split())
            raise CorruptShard(f"{checkpoint_key(run, arm)}: {why}; remove it and pretrain again") from error
        predictions[arm] = zero_shot(network, held.films, all_prompts())
    table = score_arms(predictions, held.labels, held.findings, section, dataset=held.dataset, films=held.ids)
    return keep_scores(store, run, table)


def kept_scores(store: ObjectStore, run: str) -> ScoreTable | None:
    """The table that a run has already, or None."""
    try:
        return read_scores(store, run)
    except ObjectMissing:
        return None


def read_scores(store: ObjectStore, run: str) -> ScoreTable:
    """The table of a run.

    Raises:
        ObjectMissing: there is none.
        CorruptShard: what is there is no table of scores.
    """
    key = scores_key(run)
    try:
        return ScoreTable.model_validate(parse_json(read_bounded(store, key)))
    except (BadDocument, ValidationError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else error
        raise CorruptShard(f"{store.uri(key)} is no table of scores: {why}; remove it and evaluate again") from error


def _asked(table: ScoreTable) -> tuple[str, tuple[str, ...], int, float, str, str]:
    """What a table answers."""
    arms = tuple(scores.arm for scores in table.scores)
    return table.dataset, arms, table.bootstrap, table.confidence, table.protocol, table.uncertain


def keep_scores(store: ObjectStore, run: str, table: ScoreTable) -> ScoreTable:
    """Publish the table, create-only; the same table again changes nothing."""
    key = scores_key(run)
    try:
        store.put(key, table.model_dump_json(indent=1).encode(), content_type="application/json")
    except AlreadyExists as error:
        stored = read_scores(store, run)
        if not same_scores(stored, table):
            raise ScoresConflict(
                f"{store.uri(key)} holds other scores: another evaluation of run {run!r}; take another run name"
            ) from error
        return stored
    return table


def same_scores(one: ScoreTable, other: ScoreTable) -> bool:
    """Whether two tables say the same, up to the rounding of another machine."""
    if [item.arm for item in one.scores] != [item.arm for item in other.scores] or one.dataset != other.dataset:
        return False
    return all(abs(a.macro - b.macro) < 1e-3 for a, b in zip(one.scores, other.scores, strict=True))
