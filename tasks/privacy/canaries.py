"""Score planted copies of archive films and unseen films, and count those that are flagged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from models.contracts import Encoder
from models.gates.training_index import TrainingSetIndex
from storage.records import Record

Copy = Callable[[np.ndarray, np.random.Generator], np.ndarray]
EXACT = "exact"


class KindFigures(Record):
    """One kind of copy: how many were planted and how many of them found, with a 95 % Wilson interval.

    `consistent` is the share of the films copied that got one and the same verdict under every seed.
    """

    kind: str
    planted: int
    found: int
    low: float
    high: float
    consistent: float

    @property
    def sensitivity(self) -> float:
        """Share found."""
        return self.found / self.planted


class CanaryFigures(Record):
    """The figures of an index's limit on planted copies.

    Args:
        archive: films in the index.
        unseen: films outside the training set, of which `passed` are rightly let through (interval `low`, `high`).
        kinds: one line a kind of copy.
        seeds: draws of each copy.
    """

    archive: int
    unseen: int
    passed: int
    low: float
    high: float
    kinds: list[KindFigures]
    seeds: int

    @property
    def specificity(self) -> float:
        """Share of unseen films let through."""
        return self.passed / self.unseen

    def statistics(self) -> dict[str, float]:
        """What goes into the dataset card."""
        near = [kind for kind in self.kinds if kind.kind != EXACT]
        exact = next(kind for kind in self.kinds if kind.kind == EXACT)
        worst = min(near, key=lambda kind: kind.sensitivity)
        return {
            "films of the training archive compared with": self.archive,
            "sensitivity to exact copies planted": exact.sensitivity,
            "sensitivity to near copies planted": sum(k.found for k in near) / sum(k.planted for k in near),
            f"sensitivity to the worst kind of them ({worst.kind})": worst.sensitivity,
            "specificity on unseen films": self.specificity,
            "same verdict under every seed": float(np.mean([kind.consistent for kind in self.kinds])),
        }


def calibrate(
    index: TrainingSetIndex, encoder: Encoder, unseen: Sequence[np.ndarray], false_alarms: float = 0.01
) -> TrainingSetIndex:
    """Set the limit so that `false_alarms` of `unseen` films, from the same hospital but not trained on, exceed it.

    Raises:
        ValueError: too few films to estimate such a rate.
    """
    if len(unseen) * false_alarms < 1:
        raise ValueError(
            f"{len(unseen)} unseen films cannot set a rate of {false_alarms:g}: take {1 / false_alarms:.0f}"
        )
    highest = [near.correlation for near in index.nearest(unseen, encoder)]
    return index.with_limit(float(np.quantile(highest, 1 - false_alarms)))


def plant(
    index: TrainingSetIndex,
    encoder: Encoder,
    originals: Sequence[np.ndarray],
    unseen: Sequence[np.ndarray],
    *,
    kinds: Mapping[str, Copy] | None = None,
    seeds: int = 3,
) -> CanaryFigures:
    """Measure sensitivity, specificity and seed consistency of `index` at its limit.

    Args:
        index, encoder: what is measured.
        originals: films of the archive, full size, to be copied.
        unseen: films that neither the generator nor `calibrate` has seen.
        kinds: ways to copy; None takes `KINDS`.
        seeds: draws of each copy.
    """
    passed = sum(near.correlation < index.limit for near in index.nearest(unseen, encoder))
    low, high = _interval(passed, len(unseen))
    lines = [_planted(index, encoder, originals, name, copy, seeds) for name, copy in (kinds or KINDS).items()]
    return CanaryFigures(
        archive=len(index), unseen=len(unseen), passed=passed, low=low, high=high, kinds=lines, seeds=seeds
    )


def _planted(
    index: TrainingSetIndex, encoder: Encoder, originals: Sequence[np.ndarray], name: str, copy: Copy, seeds: int
) -> KindFigures:
    verdicts = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, len(originals)])
        copies = [copy(film, rng) for film in originals]
        verdicts.append([near.correlation >= index.limit for near in index.nearest(copies, encoder)])
    found = np.array(verdicts)
    low, high = _interval(int(found.sum()), found.size)
    return KindFigures(
        kind=name, planted=found.size, found=int(found.sum()), low=low, high=high,
        consistent=float((found == found[0]).all(0).mean()),
    )  # fmt: skip


def _interval(part: int, whole: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(part, whole).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def _moved(film: np.ndarray, turn: float = 0, right: float = 0, down: float = 0, scale: float = 1) -> np.ndarray:
    """Turned (degrees), moved (pixels of 128) and scaled about the centre."""
    height, width = film.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    matrix[:, 2] += np.array([right, down]) * width / 128
    return np.asarray(cv2.warpAffine(film, matrix, (width, height), borderMode=cv2.BORDER_REFLECT))


def _grain(film: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(film + rng.normal(0, deviation, film.shape), 0, 255).astype(np.uint8)


def _exposed(film: np.ndarray, gamma: float) -> np.ndarray:
    return (255 * (film / 255) ** gamma).astype(np.uint8)


def _jpeg(film: np.ndarray, quality: int) -> np.ndarray:
    encoded: Any = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))


def _reworked(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    right, down = rng.uniform(-4, 4, 2)
    moved = _moved(film, rng.uniform(-3, 3), right, down, rng.uniform(0.95, 1.05))
    return _grain(_exposed(moved, rng.uniform(0.75, 1.3)), 6, rng)


def _patched(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A blurred square of a fifth of the side, as if a finding had been painted in or out."""
    side = max(1, min(film.shape) // 5)
    top, left = (int(rng.integers(0, size - side + 1)) for size in film.shape)
    patched = film.copy()
    part = patched[top : top + side, left : left + side]
    part[:] = cv2.GaussianBlur(part, (0, 0), side / 4)
    return patched


KINDS: dict[str, Copy] = {
    EXACT: lambda film, _: film,
    "compressed": lambda film, rng: _jpeg(film, int(rng.integers(15, 40))),
    "grain": lambda film, rng: _grain(film, rng.uniform(4, 12), rng),
    "exposure": lambda film, rng: _exposed(film, float(rng.choice([0.6, 1.6]))),
    "blurred": lambda film, rng: np.asarray(cv2.GaussianBlur(film, (0, 0), rng.uniform(0.6, 1.5))),
    "shifted": lambda film, rng: _moved(film, 0, *rng.uniform(-6, 6, 2)),
    "turned": lambda film, rng: _moved(film, rng.uniform(-5, 5)),
    "zoomed": lambda film, rng: _moved(film, scale=rng.uniform(0.92, 1.08)),
    "mirrored": lambda film, _: np.ascontiguousarray(film[:, ::-1]),
    "patched": _patched,
    "reworked": _reworked,
}
