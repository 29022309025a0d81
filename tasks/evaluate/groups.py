"""Macro scores of the head, body and tail: labels by how often an arm's training pairs have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.evaluate.label_metrics import AUROC, ResampledMetrics
from tasks.evaluate.resampled import mean_figure
from tasks.evaluate.scores import GROUPS, Group, GroupScore
from tasks.evaluate.training_counts import TrainingCounts


def group_scores(
    names: Sequence[str], parts: Sequence[ResampledMetrics], trained_on: Sequence[TrainingCounts], confidence: float
) -> dict[Group, GroupScore]:
    """AUROC of an arm by group, on average over its seeds.

    Labels are sorted by their mean count over the seeds, those that are level in the order of `names`, and cut into
    thirds; where their number does not divide by three, the earlier groups have one more.

    Args:
        names: of the labels that are scored, in the order of the rows of `parts`; at least three.
        parts: of each seed.
        trained_on: of each seed.
        confidence: of the intervals.
    """
    counts = [float(np.mean([item.positives.get(name, 0) for item in trained_on])) for name in names]
    order = sorted(range(len(names)), key=lambda at: -counts[at])
    found: dict[Group, GroupScore] = {}
    for group, chosen in zip(GROUPS, np.array_split(order, len(GROUPS)), strict=True):
        rows: list[int] = chosen.tolist()
        macro = mean_figure([part.macro(AUROC, rows) for part in parts], confidence)
        positives = {names[at]: counts[at] for at in rows}
        found[group] = GroupScore(**macro.model_dump(), positives=positives)
    return found


def why_ungrouped(labels: int, trained_on: Sequence[TrainingCounts | None]) -> str:
    """Why labels cannot be grouped; empty where they can."""
    if labels < len(GROUPS):
        return f"{labels} labels are too few for {len(GROUPS)} groups"
    missing = ["nobody counted its training pairs" if item is None else item.missing for item in trained_on]
    return next(filter(None, missing), "")
