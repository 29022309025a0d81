"""Fast classical checks of a film, one gate each: sharpness, noise, pattern, upright, border, dead_area, burned_text.

Each scores 0..1, higher is better, on a film of at most 256 pixels a side. They need no truth and, but for
`Upright`, nothing learnt. Where a threshold lies depends on the archive: `models.gates.calibration` finds it on good
films for a stated share of false rejects; `USUAL` holds those of hospital A at one in five hundred.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from models.contracts import GateScore
from models.gates.film.basics import load_film_look
from models.gates.film.order import median, ordered, quantile, span
from models.gates.film.view import GRID, FilmBatch, FilmGate, normalised_32px
from models.nets.shipped import SHIPPED
from models.typed import AnyPath

REVISION = "classical@1"


class Check(FilmGate):
    """A gate made of one measure; a film with values that are no numbers scores 0."""

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        return [self._score(film) for film in films.resized_256px]

    def _score(self, film: np.ndarray | None) -> GateScore:
        if film is None:
            return GateScore(self.name, 0.0, "values are no numbers", REVISION)
        score, reason = self.measure(film)
        return GateScore(self.name, float(score), reason, REVISION)

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """Score and reason of one finite film, float32 with a longest side of at most 256."""
        raise NotImplementedError


class Sharpness(Check):
    """Detail finer than a 128th of the film as a share of the detail up to four times coarser; blur takes it away."""

    name = "sharpness"

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        pixel = film.shape[0] / 128
        layers = [film, *(cv2.GaussianBlur(film, (0, 0), pixel * sigma) for sigma in (0.9, 3.6))]
        fine, rough = (float(np.abs(a - b).mean()) for a, b in pairwise(layers))
        share = fine / (fine + rough + 0.05)
        return share, f"{share:.0%} of the detail is fine"


class Noise(Check):
    """1 without grain; 0.5 where its deviation is an eighth of the greys' span (Immerkaer 1996, with a median)."""

    name = "noise"

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
        grain = float(median(ordered(np.abs(cv2.filter2D(film, -1, kernel))))) / (6 * 0.6745)
        low, high = span(film, 0.02, 0.98)
        share = grain / max(float(high - low), 1.0)
        return 1 / (1 + 8 * share), f"grain is {share:.1%} of the greys' span"


class Pattern(Check):
    """Falls with stripes and blocks: jumps that whole rows or columns make together, again and again."""

    name = "pattern"

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        rim = [side // 12 for side in film.shape]
        inner = film[rim[0] : film.shape[0] - rim[0], rim[1] : film.shape[1] - rim[1]]
        worst = max(_jumps(inner), _jumps(inner.T))
        return 1 / (1 + worst), f"lines across the film jump {worst:.2f} times as much as the film does"


def _medians(film: np.ndarray) -> np.ndarray:
    """The median of every row, (rows, 1)."""
    return median(np.sort(np.ascontiguousarray(film), axis=1))[:, None]


_FEW, _MANY = np.float32(0.4), np.float32(0.92)


def _jumps(film: np.ndarray) -> float:
    steps = np.diff(film, axis=0)
    middle = _medians(steps)
    together = ordered(np.abs(middle))  # stripes: most of a row jumps the same way
    apart = ordered(np.abs(steps).mean(1))  # blocks: many rows stand still, a few jump
    stripes = quantile(together, _MANY) / (np.abs(steps - middle).mean() + 0.5)
    blocks = quantile(apart, _MANY) / (quantile(apart, _FEW) + 0.25) / 8
    return float(stripes + blocks)


class Upright(Check):
    """How much better the film fits the mean frontal film as it stands than turned by 12 degrees or more.

    Args:
        folder: where ``film-look.safetensors`` lies.
    """

    name = "upright"

    def __init__(self, folder: AnyPath = SHIPPED) -> None:
        self._folder = Path(folder)

    @cached_property
    def _turns(self) -> tuple[np.ndarray, np.ndarray]:
        """Angles (n,) and the mean film at each (n, GRID²), of zero mean and unit length within a disc."""
        mean = load_film_look(self._folder).mean.reshape(GRID, GRID)
        angles = np.concatenate([np.arange(-8, 9, 2), np.arange(12, 349, 6)]).astype(float)
        middle = ((GRID - 1) / 2, (GRID - 1) / 2)
        moves = (cv2.getRotationMatrix2D(middle, angle, 1) for angle in angles)
        turned = [cv2.warpAffine(mean, move, (GRID, GRID), borderMode=cv2.BORDER_REFLECT) for move in moves]
        films = np.stack(turned).reshape(len(angles), -1)[:, _DISC]
        films -= films.mean(1, keepdims=True)
        return angles, films / np.linalg.norm(films, axis=1, keepdims=True)

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        angles, turns = self._turns
        seen = normalised_32px([film])[0][_DISC]
        likeness = turns @ (seen - seen.mean()) / max(float(np.linalg.norm(seen - seen.mean())), 1e-6)
        upright = np.abs(angles) <= 8
        margin = float(likeness[upright].max() - likeness[~upright].max())
        best = angles[int(likeness.argmax())]
        return (1 + margin) / 2, f"fits best when turned by {(best + 180) % 360 - 180:+.0f} degrees"


_STEPS = np.arange(GRID) - (GRID - 1) / 2
_DISC = (_STEPS[:, None] ** 2 + _STEPS[None] ** 2 <= (GRID / 2) ** 2).ravel()


class Border(Check):
    """Share of the film inside the even rims at its four edges."""

    name = "border"

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        rims = _rims(film), _rims(film.T)
        high, wide = (max(0.0, 1 - sum(pair) / side) for pair, side in zip(rims, film.shape, strict=True))
        return high * wide, f"{1 - high * wide:.0%} of the film is an even rim"


def _rims(film: np.ndarray) -> tuple[int, int]:
    """Rows at the top and at the bottom that are even but for a tenth of them."""
    even = (np.abs(film - _medians(film)) <= 2).mean(1) >= 0.9
    uneven = np.flatnonzero(~even)
    return (int(uneven[0]), int(len(even) - 1 - uneven[-1])) if len(uneven) else (len(even), 0)


class DeadArea(Check):
    """Share of the middle of the film in which neighbouring pixels differ: clipped or missing parts do not."""

    name = "dead_area"

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        rim = [side // 10 for side in film.shape]
        inner = film[rim[0] : film.shape[0] - rim[0], rim[1] : film.shape[1] - rim[1]]
        kernel = np.ones((3, 3), np.uint8)
        share = float((cv2.dilate(inner, kernel) - cv2.erode(inner, kernel) <= 0.5).mean())
        return 1 - share, f"{share:.0%} of the middle has no detail at all"


class BurnedText(Check):
    """Falls with the letters that stand in one line: 0.5 at six. A side marker has fewer.

    A letter is a bright stroke figure, thin and upright, of a size that text on films has.
    """

    name = "burned_text"

    def measure(self, film: np.ndarray) -> tuple[float, str]:
        """See `Check`."""
        size = film.shape[0]
        width = 2 * max(1, round(size / 64)) + 1
        strokes = cv2.morphologyEx(film, cv2.MORPH_TOPHAT, np.ones((width, width), np.uint8))
        low, high = span(film, 0.02, 0.995)
        plate = ((strokes > 0.25 * max(float(high - low), 20.0)) & (film >= 0.8 * high)).astype(np.uint8)
        _, _, boxes, centres = cv2.connectedComponentsWithStats(plate, connectivity=8)
        tall, area = boxes[1:, cv2.CC_STAT_HEIGHT] / size, boxes[1:, cv2.CC_STAT_AREA]
        fill = area / (boxes[1:, cv2.CC_STAT_HEIGHT] * boxes[1:, cv2.CC_STAT_WIDTH])
        letters = (tall > 0.03) & (tall < 0.15) & (fill > 0.15) & (boxes[1:, cv2.CC_STAT_WIDTH] < 0.4 * size)
        most = _in_line(centres[1:, 1][letters] / size, tall[letters], boxes[1:, cv2.CC_STAT_WIDTH][letters] / size)
        return 1 / (1 + most / 6), f"about {most:.0f} letters stand in one line"


def _in_line(middles: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> float:
    """Most letters on one line; a figure wider than tall holds several that touch."""
    if not len(middles):
        return 0.0
    near = np.abs(middles[:, None] - middles[None]) < 0.4 * heights[:, None]
    alike = np.abs(np.log(heights[:, None] / heights[None])) < 0.4
    count = np.maximum(1.0, widths / (0.8 * heights))
    return float(((near & alike) * count[None]).sum(1).max())
