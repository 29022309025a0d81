"""Score trials on labelled films, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.compare import compare
from tasks.evaluate.labels import CannotScore, Labels, settle
from tasks.evaluate.metrics.bootstrap import draw_counts, interval
from tasks.evaluate.metrics.macro import macro_mean, with_both_classes
from tasks.evaluate.metrics.ranking import resampled_auroc
from tasks.evaluate.scores import LabelScore, Scores, ScoreTable

if TYPE_CHECKING:
    from tasks.evaluate.predictions import Predictions
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection


@dataclass(frozen=True, slots=True)
class _Scored:
    """AUROC of the labels that can be scored, in each resample: (labels, 1 + resamples), all films first."""

    table: np.ndarray
    used: tuple[int, ...]

    @property
    def macros(self) -> np.ndarray:
        return macro_mean(self.table)


def score_trials(
    items: Sequence[TrialPredictions], section: EvaluateSection, *, protocol: str, seed: int = 0
) -> ScoreTable:
    """Score every trial on the same films and resamples, average over seeds, and compare arms.

    Args:
        items: predictions of every arm and seed, for the same films and labels, in the order of the table.
        section: resamples, confidence, comparisons, and what becomes of uncertain labels.
        protocol: how the predictions were made, in words.
        seed: of the resamples.

    Raises:
        CannotScore: labels or scores that no metric can take.
        ValueError: two trials have other films, labels or truth.
    """
    first = items[0].predictions
    for item in items:
        _check_alike(item, first)
    certain = settle(first.truth, first.labels, section.uncertain, first.films)
    counts = draw_counts(len(first.films), section.bootstrap, seed)
    scored: dict[str, dict[int, _Scored]] = {}
    for item in items:
        scored.setdefault(item.arm, {})[item.seed] = _score(_name(item), item.predictions.scores, certain, counts)
    arms = tuple(scored)
    return ScoreTable(
        bootstrap=section.bootstrap,
        confidence=section.confidence,
        seed=seed,
        scores=[_scores(arm, by_seed, certain, section.confidence) for arm, by_seed in scored.items()],
        trials=[
            _scores(item.arm, {item.seed: scored[item.arm][item.seed]}, certain, section.confidence) for item in items
        ],
        differences=compare(
            section.compared(arms),
            {arm: {at: found.macros for at, found in by_seed.items()} for arm, by_seed in scored.items()},
            section.confidence,
        ),
        protocol=protocol,
        uncertain=section.uncertain,
        uncertain_labels=dict(certain.uncertain),
    )


def _score(name: str, predictions: np.ndarray, labels: Labels, counts: np.ndarray) -> _Scored:
    """AUROC of one trial in each resample.

    In a resample that lacks one class of a label the macro mean is taken over the other labels.

    Args:
        name: of the trial, for messages.
        predictions: (films, labels), higher means more likely present.
        labels: of these films.
        counts: (resamples, films) from `draw_counts`.
    """
    values, known = labels.values, labels.known
    _check_finite(name, predictions, labels.names)
    weights = np.concatenate([np.ones((1, len(values)), np.float32), counts])
    used = with_both_classes(values, known)
    if not used:
        raise CannotScore("no finding is present in some films and absent in others")
    rows = [
        resampled_auroc(predictions[known[:, at], at], values[known[:, at], at], weights[:, known[:, at]])
        for at in used
    ]
    return _Scored(np.stack(rows), used)


def _scores(arm: str, by_seed: Mapping[int, _Scored], labels: Labels, confidence: float) -> Scores:
    """What an arm reached on average over its seeds: the mean over the seeds is taken in each resample."""
    parts = list(by_seed.values())
    used, table = parts[0].used, np.mean([part.table for part in parts], axis=0)
    macros = np.mean([part.macros for part in parts], axis=0)
    positives = (labels.values * labels.known).sum(axis=0)
    per_label = {
        labels.names[at]: LabelScore(
            value=float(row[0]),
            positives=int(positives[at]),
            ignored=int((~labels.known[:, at]).sum()),
            **interval(row[1:], confidence),
        )
        for at, row in zip(used, table, strict=True)
    }
    return Scores(
        arm=arm,
        seeds=tuple(by_seed),
        films=len(labels.values),
        macro=float(macros[0]),
        per_label=per_label,
        left_out=[name for at, name in enumerate(labels.names) if at not in used],
        sd=float(np.std([part.macros[0] for part in parts], ddof=1)) if len(parts) > 1 else None,
        **interval(macros[1:], confidence),
    )


def _name(item: TrialPredictions) -> str:
    return f"arm {item.arm!r}, seed {item.seed}"


def _check_alike(item: TrialPredictions, first: Predictions) -> None:
    found = item.predictions
    same = found.films == first.films and found.labels == first.labels
    if not (same and np.array_equal(found.truth, first.truth, equal_nan=True)):
        raise ValueError(f"{_name(item)}: its predictions are of other films or labels than those of the first")


def _check_finite(name: str, predictions: np.ndarray, names: Sequence[str]) -> None:
    odd = ~np.isfinite(predictions)
    if odd.any():
        film, column = np.argwhere(odd)[0].tolist()
        raise CannotScore(
            f"{name}: {int(odd.sum())} of {odd.size} scores are not finite, the first that of {names[column]!r} "
            f"in film number {film}: its training went wrong"
        )
