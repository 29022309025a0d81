"""Score trials on labelled films, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.compare import compare
from tasks.evaluate.groups import group_scores, why_ungrouped
from tasks.evaluate.label_metrics import AUPRC, AUROC, ResampledMetrics, Thresholds, best_thresholds, resample
from tasks.evaluate.labels import CannotScore, Labels, settle
from tasks.evaluate.resampled import ByUnit, draw, drawn_units, mean_figure, sd_over_seeds
from tasks.evaluate.scores import Figure, LabelScore, Scores, ScoreTable

if TYPE_CHECKING:
    from tasks.evaluate.predictions import Predictions
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.evaluate.training_counts import TrainingCounts
    from tasks.recipe.training import EvaluateSection


def score_trials(
    items: Sequence[TrialPredictions], section: EvaluateSection, *, protocol: str, probability: str = "", seed: int = 0
) -> ScoreTable:
    """Score every trial on the same films and resamples, average over seeds, and compare arms.

    Resamples draw patients with all their films where the predictions say whose a film is, else films.

    Args:
        items: predictions of every arm and seed, for the same films and labels, in the order of the table.
        section: resamples, confidence, comparisons, and what becomes of uncertain labels.
        protocol: how the predictions were made, in words.
        probability: what the sigmoid of a score is, in words; empty where it is no probability of the finding.
        seed: of the resamples.

    Raises:
        CannotScore: labels or scores that no metric can take.
        ValueError: two trials have other films, labels, truth or patients.
    """
    first, patients = items[0].predictions, _patients(items)
    for item in items:
        _check_alike(item, first, patients)
    certain = settle(first.truth, first.labels, section.uncertain, first.films)
    counts = draw(len(first.films), patients, section.bootstrap, seed)
    scored: dict[str, dict[int, ResampledMetrics]] = {}
    trained_on = {(item.arm, item.seed): item.trained_on for item in items}
    for item in items:
        _check_finite(_name(item), item.predictions.scores, certain.names)
        thresholds = _thresholds(item, section)
        found = resample(item.predictions.scores, certain, counts, thresholds, logits=bool(probability))
        if not found.used:
            raise CannotScore("no finding is present in some films and absent in others")
        scored.setdefault(item.arm, {})[item.seed] = found
    arms = tuple(scored)

    def scores_of(arm: str, seeds: Sequence[int]) -> Scores:
        parts = {seed: scored[arm][seed] for seed in seeds}
        return _scores(arm, parts, certain, [trained_on[arm, seed] for seed in seeds], section.confidence)

    return ScoreTable(
        bootstrap=section.bootstrap,
        confidence=section.confidence,
        seed=seed,
        **drawn_units(patients),
        scores=[scores_of(arm, tuple(by_seed)) for arm, by_seed in scored.items()],
        trials=[scores_of(item.arm, (item.seed,)) for item in items],
        differences=compare(
            section.compared(arms),
            {arm: {at: found.macro(AUROC) for at, found in by_seed.items()} for arm, by_seed in scored.items()},
            section.confidence,
        ),
        protocol=protocol,
        probability=probability,
        uncertain=section.uncertain,
        uncertain_labels=dict(certain.uncertain),
    )


def _scores(
    arm: str,
    by_seed: Mapping[int, ResampledMetrics],
    labels: Labels,
    trained_on: Sequence[TrainingCounts | None],
    confidence: float,
) -> Scores:
    """What an arm reached on average over its seeds: the mean over the seeds is taken in each resample."""
    parts = list(by_seed.values())
    names = [labels.names[at] for at in parts[0].used]
    ungrouped = why_ungrouped(len(names), trained_on)
    counted = [] if ungrouped else [item for item in trained_on if item is not None]
    macros = [part.macro(AUROC) for part in parts]
    macro, auprc, beside = _figures([{name: part.macro(name) for name in part.tables} for part in parts], confidence)
    return Scores(
        arm=arm,
        seeds=tuple(by_seed),
        films=len(labels.values),
        macro=macro.value,
        per_label={labels.names[at]: _label(parts, row, labels, confidence) for row, at in enumerate(parts[0].used)},
        left_out=[name for at, name in enumerate(labels.names) if at not in parts[0].used],
        sd=sd_over_seeds(macros),
        auprc=auprc,
        beside=beside,
        without_threshold=_without_threshold(names, parts),
        groups=group_scores(names, parts, counted, confidence) if counted else {},
        ungrouped=ungrouped,
        **macro.model_dump(exclude={"value"}),
    )


def _label(parts: Sequence[ResampledMetrics], row: int, labels: Labels, confidence: float) -> LabelScore:
    auroc, auprc, beside = _figures(
        [{name: part.label(name, row) for name in part.tables} for part in parts], confidence
    )
    at = parts[0].used[row]
    known = labels.known[:, at]
    return LabelScore(
        positives=int(labels.values[known, at].sum()),
        ignored=int((~known).sum()),
        auprc=auprc,
        beside=beside,
        thresholds=dict(parts[0].thresholds[row]) if len(parts) == 1 else {},
        **auroc.model_dump(),
    )


def _figures(parts: Sequence[Mapping[str, ByUnit]], confidence: float) -> tuple[Figure, Figure, dict[str, Figure]]:
    """AUROC, AUPRC and what stands beside them, on average over the seeds; a metric that a seed lacks is none."""
    found: dict[str, Figure] = {}
    for name in parts[0]:
        each = [part[name] for part in parts if name in part and not np.isnan(part[name]["film"][0])]
        if len(each) == len(parts):
            found[name] = mean_figure(each, confidence)
    return found.pop(AUROC), found.pop(AUPRC), found


def _thresholds(item: TrialPredictions, section: EvaluateSection) -> Thresholds:
    """The thresholds that the validation films give; uncertain labels that tests refuse have no part in them."""
    found = item.validation
    if found is None:
        return {}
    _check_finite(f"{_name(item)}, validation", found.scores, found.labels)
    policy = "ignore" if section.uncertain == "refuse" else section.uncertain
    return best_thresholds(found.scores, settle(found.truth, found.labels, policy, found.films))


def _without_threshold(names: Sequence[str], parts: Sequence[ResampledMetrics]) -> list[str]:
    if not any("F1" in part.tables for part in parts):
        return []
    return [name for row, name in enumerate(names) if not all("F1" in part.thresholds[row] for part in parts)]


def _name(item: TrialPredictions) -> str:
    return f"arm {item.arm!r}, seed {item.seed}"


def _patients(items: Sequence[TrialPredictions]) -> tuple[str | None, ...] | None:
    """Whose the films are, from the first predictions that say so: older ones do not."""
    known = [item.predictions.patients for item in items if item.predictions.patients is not None]
    return known[0] if known else None


def _check_alike(item: TrialPredictions, first: Predictions, patients: Sequence[str | None] | None) -> None:
    found = item.predictions
    same = found.films == first.films and found.labels == first.labels and found.patients in (None, patients)
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
