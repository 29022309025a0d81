"""The figure of an audit: the films that each check likes least, each with its id, and the archive's tail."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.audit.measurements import THUMBNAIL, WORST
from tasks.audit.tail import plot_tail
from tasks.corpora.archives.names import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tasks.audit.archive import ArchiveAudit
    from tasks.audit.measurements import WorstFilm

LABEL = 20
"""Characters of a film's id under its picture; of a longer one its end, in which neighbours differ."""
_LINE = 14  # pixels under each row of pictures


def draw(audit: ArchiveAudit, path: Path) -> None:
    """Write the figure as PNG."""
    from matplotlib.figure import Figure

    worst = {name: films for name, films in audit.measurements.worst.items() if films[0].score < 1}
    high = 1.2 * max(1, len(worst))
    figure = Figure(figsize=(9, high + (4 if audit.counts else 0.5)), dpi=100, layout="constrained")
    heights = [high, 3.5] if audit.counts else [high]
    sheet, *below = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _sheet(sheet, worst)
    for axes in below:
        plot_tail(axes, audit.counts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of an id in a script that the font lacks
        figure.savefig(path)


def shortened(film: str) -> str:
    """An id as it fits under a picture."""
    name = escaped(film)
    return name if len(name) <= LABEL else f"…{name[1 - LABEL :]}"


def _sheet(axes: Axes, worst: dict[str, list[WorstFilm]]) -> None:
    """A row of pictures for each check, the film's id under each."""
    step = THUMBNAIL + _LINE
    wall = np.full((max(1, len(worst)) * step, WORST * THUMBNAIL), 255, np.uint8)
    for row, films in enumerate(worst.values()):
        for column, film in enumerate(films):
            top, left = row * step, column * THUMBNAIL
            wall[top : top + THUMBNAIL, left : left + THUMBNAIL] = film.picture
            axes.text(
                left + THUMBNAIL / 2, top + THUMBNAIL + 1, shortened(film.film), fontsize=5, ha="center", va="top",
                parse_math=False,
            )  # fmt: skip
    axes.imshow(wall, cmap="gray", vmin=0, vmax=255)
    axes.set_yticks([row * step + THUMBNAIL / 2 for row in range(len(worst))], list(worst))
    axes.set_xticks([])
    axes.set_title("the films that each check likes least, the worst first")
