"""How long the tail of a bank is: Gini, coverage, singletons, and a figure of count over rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COVERED = (0.5, 0.8, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Tail:
    """The shape of counts.

    Args:
        entities: how many there are; `mentions` is the sum of their counts.
        gini: 0 where all are said equally often, near 1 where one is all that is said.
        once: share of the entities that are mentioned once.
        cover: share of the mentions to how many of the commonest entities it takes.
    """

    entities: int
    mentions: int
    gini: float
    once: float
    cover: Mapping[float, int]


def tail_of(counts: Sequence[int]) -> Tail:
    """The tail of `counts`, in any order; NaN where there are none."""
    falling = np.sort(np.asarray(counts, np.float64))[::-1]
    if not falling.size or not falling.sum():
        return Tail(0, 0, float("nan"), float("nan"), dict.fromkeys(COVERED, 0))
    ranks = np.arange(1, falling.size + 1)
    gini = (falling.size + 1 - 2 * (falling * ranks).sum() / falling.sum()) / falling.size
    covered = np.cumsum(falling) / falling.sum()
    cover = {share: int(np.searchsorted(covered, share - 1e-12) + 1) for share in COVERED}
    return Tail(falling.size, int(falling.sum()), float(gini), float((falling == 1).mean()), cover)


def draw_tail(counts: Mapping[str, Sequence[int]], path: Path) -> None:
    """Draw count over rank on logarithmic axes, a line a type, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), dpi=150, layout="constrained")
    plot_tail(figure.subplots(), counts)
    figure.savefig(path)


def plot_tail(axes: Axes, counts: Mapping[str, Sequence[int]]) -> None:
    """Draw count over rank on logarithmic axes, a line a type."""
    for name, values in counts.items():
        falling = sorted(values, reverse=True)
        axes.plot(range(1, len(falling) + 1), falling, label=f"{name} ({len(falling)})")
    axes.set(xscale="log", yscale="log", xlabel="rank of the entity", ylabel="mentions")
    axes.grid(alpha=0.3, which="both")
    if counts:
        axes.legend(frameon=False)
