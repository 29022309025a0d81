"""Score arms on labelled films, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.evaluate.auroc import draw_counts, resampled_auroc
from tasks.evaluate.compare import compare, interval
from tasks.evaluate.labels import CannotScore, Labels, settle
from tasks.evaluate.scores import FindingScore, Scores, ScoreTable
from tasks.recipe.schema import EvaluateSection

PROTOCOL = (
    "zero-shot: cosine of the film with the mean of the finding's prompts less that with the mean of the prompts for "
    "a normal film; AUROC per finding, macro mean; percentile bootstrap over films, the same resamples for every arm"
)


def score_arms(
    predictions: Mapping[str, np.ndarray],
    labels: Any,
    names: Sequence[str],
    section: EvaluateSection,
    *,
    dataset: str,
    films: Sequence[str] = (),
    seed: int = 0,
) -> ScoreTable:
    """Score every arm on the same films and resamples, and compare them (see `tasks.evaluate.compare`).

    Args:
        predictions: (films, findings) by arm, higher means more likely present.
        labels: (films, findings) as `settle` takes them.
        names: of the findings.
        section: resamples, confidence, and what becomes of uncertain labels.
        dataset: what the films are of.
        films: their ids, for messages.
        seed: of the resamples.

    Raises:
        CannotScore: labels or scores that no metric can take.
        ValueError: shapes do not agree.
    """
    certain = settle(labels, names, section.uncertain, films)
    counts = draw_counts(len(labels), section.bootstrap, seed)
    scores, macros = [], {}
    for arm, predicted in predictions.items():
        scored, macros[arm] = score_arm(arm, predicted, certain, counts, section.confidence, dataset)
        scores.append(scored)
    return ScoreTable(
        dataset=dataset,
        bootstrap=section.bootstrap,
        confidence=section.confidence,
        seed=seed,
        scores=scores,
        differences=compare(scores, macros, section.confidence),
        protocol=PROTOCOL,
        uncertain=section.uncertain,
        uncertain_labels=dict(certain.uncertain),
    )


def score_arm(
    arm: str,
    predictions: np.ndarray,
    labels: Labels,
    counts: np.ndarray,
    confidence: float,
    dataset: str,
) -> tuple[Scores, np.ndarray]:
    """Score one arm.

    Args:
        predictions: (films, findings), higher means more likely present.
        labels: of these films.
        counts: (resamples, films) from `draw_counts`.

    Returns:
        The scores, and the macro AUROC in each resample for paired differences. In a resample that lacks one
        class of a finding the mean is taken over the other findings.

    Raises:
        CannotScore: a score is not finite, or no finding has both classes.
        ValueError: shapes do not agree.
    """
    names, values, known = labels.names, labels.values, labels.known
    if predictions.shape != values.shape:
        raise ValueError(f"arm {arm!r}: predictions {predictions.shape}, labels {values.shape}")
    _check_finite(arm, predictions, names)
    weights = np.concatenate([np.ones((1, len(values)), np.float32), counts])
    positives = (values * known).sum(axis=0)
    used = [at for at in range(len(names)) if 0 < int(positives[at]) < int(known[:, at].sum())]
    if not used:
        raise CannotScore(f"dataset {dataset!r}: no finding is present in some films and absent in others")
    table = np.stack(
        [
            resampled_auroc(predictions[known[:, at], at], values[known[:, at], at], weights[:, known[:, at]])
            for at in used
        ]
    )
    macros = _mean_of_numbers(table)
    per_finding = {
        names[at]: FindingScore(
            auroc=float(row[0]),
            positives=int(positives[at]),
            ignored=int((~known[:, at]).sum()),
            **interval(row[1:], confidence),
        )
        for at, row in zip(used, table, strict=True)
    }
    scores = Scores(
        arm=arm, dataset=dataset, films=len(values), macro=float(macros[0]), per_finding=per_finding,
        left_out=[name for at, name in enumerate(names) if at not in used], **interval(macros[1:], confidence),
    )  # fmt: skip
    return scores, macros[1:]


def _check_finite(arm: str, predictions: np.ndarray, names: Sequence[str]) -> None:
    odd = ~np.isfinite(predictions)
    if odd.any():
        film, column = np.argwhere(odd)[0].tolist()
        raise CannotScore(
            f"arm {arm!r}: {int(odd.sum())} of {odd.size} scores are not finite, the first that of {names[column]!r} "
            f"in film number {film}: its training went wrong"
        )


def _mean_of_numbers(table: np.ndarray) -> np.ndarray:
    """Mean over the findings of each resample, NaN where none could be scored."""
    there = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        return np.where(there, table, 0.0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan)
