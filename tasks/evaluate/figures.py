"""Draw what an evaluation found, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.scores import ScoreTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {
    "real": "#8a8a8a",
    "synthetic": "#1b6ca8",
    "mixed": "#1d8a5b",
    "mixed_full": "#8bc34a",
    "random": "#d0d0d0",
}
_CONTROL = "#d98c5f"


def auroc_figure(table: ScoreTable) -> bytes:
    """AUROC per finding, one dot an arm with its interval, best finding of the first arm on top."""
    from matplotlib.figure import Figure

    first = table.scores[0]
    order = ["macro", *sorted(first.per_finding, key=lambda name: -first.per_finding[name].auroc)]
    figure = Figure(figsize=(8, 0.34 * len(order) + 1.6), layout="constrained")
    axes = figure.subplots()
    spread = np.linspace(-0.3, 0.3, len(table.scores))
    for offset, scores in zip(spread, table.scores, strict=True):
        rows = [(scores.macro, scores.low, scores.high)]
        rows += [(item.auroc, item.low, item.high) for item in (scores.per_finding[name] for name in order[1:])]
        value, low, high = np.array(rows).T
        axes.errorbar(
            value, np.arange(len(order)) + offset, xerr=[np.maximum(value - low, 0), np.maximum(high - value, 0)],
            fmt="o", markersize=3.5, linewidth=0.9, color=_COLOURS.get(scores.arm, _CONTROL), label=scores.arm,
        )  # fmt: skip
    positives = {name: item.positives for name, item in first.per_finding.items()}
    axes.set_yticks(range(len(order)), [name if name == "macro" else f"{name} ({positives[name]})" for name in order])
    axes.invert_yaxis()
    axes.axvline(0.5, color="black", linewidth=0.6, linestyle=":")
    axes.set_xlabel(f"zero-shot AUROC on {table.dataset}, {first.films} films ({table.confidence:.0%} interval)")
    axes.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    return _png(figure)


def loss_figure(losses: Mapping[str, Sequence[float]], batch: int) -> bytes:
    """Loss over pairs seen, one line an arm, smoothed over a twentieth of the run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for arm, values in losses.items():
        if not len(values):
            continue
        width = max(1, len(values) // 20)
        smooth = np.convolve(values, np.ones(width) / width, mode="valid")
        seen = (np.arange(len(smooth)) + width) * batch
        axes.plot(seen, smooth, label=arm, color=_COLOURS.get(arm), linestyle=":" if "shuffled" in arm else "-")
    axes.set_xlabel("pairs seen")
    axes.set_ylabel("contrastive loss (dotted: chance)")
    axes.axhline(np.log(batch), color="black", linewidth=0.6, linestyle=":")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
