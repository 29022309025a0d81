"""Score arms on labelled films, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tasks.evaluate.auroc import draw_counts, resampled_auroc
from tasks.evaluate.compare import compare, interval
from tasks.evaluate.scores import FindingScore, Scores, ScoreTable
from tasks.recipe.schema import EvaluateSection

PROTOCOL = (
    "zero-shot: cosine of the film with the mean of the finding's prompts less that with the mean of the prompts for "
    "a normal film; AUROC per finding, macro mean; percentile bootstrap over films, the same resamples for every arm"
)


def score_arms(
    predictions: Mapping[str, np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
    section: EvaluateSection,
    *,
    dataset: str,
    seed: int = 0,
) -> ScoreTable:
    """Score every arm on the same films and resamples, and compare them (see `tasks.evaluate.compare`)."""
    counts = draw_counts(len(labels), section.bootstrap, seed)
    scores, macros = [], {}
    for arm, predicted in predictions.items():
        scored, macros[arm] = score_arm(arm, predicted, labels, names, counts, section.confidence, dataset)
        scores.append(scored)
    return ScoreTable(
        dataset=dataset,
        bootstrap=section.bootstrap,
        confidence=section.confidence,
        seed=seed,
        scores=scores,
        differences=compare(scores, macros, section.confidence),
        protocol=PROTOCOL,
    )


def score_arm(
    arm: str,
    predictions: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    counts: np.ndarray,
    confidence: float,
    dataset: str,
) -> tuple[Scores, np.ndarray]:
    """Score one arm.

    Args:
        predictions: (films, findings), higher means more likely present.
        labels: (films, findings) of 0 and 1.
        names: of the findings.
        counts: (resamples, films) from `draw_counts`.

    Returns:
        The scores, and the macro AUROC in each resample for paired differences. In a resample that lacks one
        class of a finding the mean is taken over the other findings.

    Raises:
        ValueError: shapes do not agree, or no finding has both classes.
    """
    if predictions.shape != labels.shape or labels.shape[1:] != (len(names),):
        raise ValueError(f"arm {arm!r}: predictions {predictions.shape}, labels {labels.shape}, {len(names)} findings")
    weights = np.concatenate([np.ones((1, len(labels)), np.float32), counts])
    used = [at for at in range(len(names)) if 0 < int(labels[:, at].sum()) < len(labels)]
    if not used:
        raise ValueError(f"dataset {dataset!r}: no finding is present in some films and absent in others")
    table = np.stack([resampled_auroc(predictions[:, at], labels[:, at], weights) for at in used])
    macros = _mean_of_numbers(table)
    per_finding = {
        names[at]: FindingScore(
            auroc=float(row[0]), positives=int(labels[:, at].sum()), **interval(row[1:], confidence)
        )
        for at, row in zip(used, table, strict=True)
    }
    scores = Scores(
        arm=arm, dataset=dataset, films=len(labels), macro=float(macros[0]), per_finding=per_finding,
        left_out=[name for at, name in enumerate(names) if at not in used], **interval(macros[1:], confidence),
    )  # fmt: skip
    return scores, macros[1:]


def _mean_of_numbers(table: np.ndarray) -> np.ndarray:
    """Mean over the findings of each resample, NaN where none could be scored."""
    there = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        return np.where(there, table, 0.0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan)
