"""Draw what an evaluation found, as PNG bytes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from tasks.evaluate.scores import ScoreTable


def score_figure(table: ScoreTable) -> bytes:
    """The metric per label, one dot an arm with its interval, best label of the first arm on top."""
    from matplotlib.figure import Figure

    first = table.scores[0]
    order = ["macro", *sorted(first.per_label, key=lambda name: -first.per_label[name].value)]
    figure: Any = Figure(figsize=(8, 0.34 * len(order) + 1.6), layout="constrained")
    axes: Any = figure.subplots()
    spread = np.linspace(-0.3, 0.3, len(table.scores))
    for offset, scores in zip(spread, table.scores, strict=True):
        rows = [(scores.macro, scores.low, scores.high)]
        rows += [(item.value, item.low, item.high) for item in (scores.per_label[name] for name in order[1:])]
        value, low, high = np.array(rows).T
        axes.errorbar(
            value, np.arange(len(order)) + offset, xerr=[np.maximum(value - low, 0), np.maximum(high - value, 0)],
            fmt="o", markersize=3.5, linewidth=0.9, label=scores.arm,
        )  # fmt: skip
    positives = {name: item.positives for name, item in first.per_label.items()}
    axes.set_yticks(range(len(order)), [name if name == "macro" else f"{name} ({positives[name]})" for name in order])
    axes.invert_yaxis()
    if table.metric == "AUROC":
        axes.axvline(0.5, color="black", linewidth=0.6, linestyle=":")
    seeds = max(len(scores.seeds) for scores in table.scores)
    over = f", mean of {seeds} training seeds" if seeds > 1 else ""
    interval = f"{table.confidence:.0%} interval by {table.unit}"
    axes.set_xlabel(f"{table.name} {table.metric} on {table.dataset}, {first.films} films{over} ({interval})")
    axes.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
