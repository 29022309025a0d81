"""How well a map of a film points at the area of a finding: overlap, pointing game, contrast.

Maps are float (films, height, width), higher where the finding is thought to be; areas are bool of the same shape. A
film without the finding has an empty area. Overlap is reported twice: over the films that have an area, where it says
how well the area is drawn, and over all films, where an empty area that is left empty counts 1 and one that is not
counts 0, so that maps which light up everywhere are seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def dice(taken: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Twice the common pixels over the pixels of both, (films,); 1 where both are empty.

    Args:
        taken, areas: bool (films, height, width).
    """
    common, first, second = _overlap(taken, areas)
    return _ratio(2 * common, first + second)


def iou(taken: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """The common pixels over the pixels of either, (films,); 1 where both are empty."""
    common, first, second = _overlap(taken, areas)
    return _ratio(common, first + second - common)


def pointing_game(maps: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Share of a map's highest pixels that lie in the area, (films,): 1 or 0 but where several are level.

    NaN where the area is empty. A constant map scores the area's share of the film, which is chance.
    """
    maps, areas = _checked(maps, areas)
    flat, inside = maps.reshape(len(maps), -1), areas.reshape(len(areas), -1)
    highest = flat == flat.max(axis=1, keepdims=True)
    share = (highest & inside).sum(axis=1) / highest.sum(axis=1)
    return np.where(inside.any(axis=1), share, np.nan)


def chance(areas: np.ndarray) -> np.ndarray:
    """What the pointing game gives a map that knows nothing, (films,): the area's share of the film; NaN if empty."""
    share = areas.reshape(len(areas), -1).mean(axis=1)
    return np.where(share > 0, share, np.nan)


def contrast_to_noise(maps: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """|mean inside - mean outside| / sqrt(variance inside + variance outside), (films,) (Boecking et al., 2022).

    NaN where the area is empty or the whole film; 0 where the map is constant.
    """
    maps, areas = _checked(maps, areas)
    flat, inside = maps.reshape(len(maps), -1), areas.reshape(len(areas), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        (mean, variance), (other_mean, other_variance) = (_moments(flat, part) for part in (inside, ~inside))
        ratio = np.abs(mean - other_mean) / np.sqrt(variance + other_variance)
    flatly = np.ptp(flat, axis=1) == 0
    return np.where(inside.any(axis=1) & ~inside.all(axis=1), np.where(flatly, 0.0, ratio), np.nan)


@dataclass(frozen=True, slots=True)
class MapThreshold:
    """The level of a map from which a pixel is taken, and the mean Dice that it gave on the films it comes from."""

    level: float
    dice: float


def threshold_from_maps(maps: np.ndarray, areas: np.ndarray) -> MapThreshold:
    """The level with the highest mean Dice over the films that have an area, the highest where several are level.

    No level gives more: every value of these maps is tried. The overlap of each film is a step function of the level,
    and the steps of all films are summed from the highest value down.

    Args:
        maps, areas: of validation films.

    Raises:
        ValueError: no film has an area.
    """
    maps, areas = _checked(maps, areas)
    flat, inside = (part[areas.any(axis=(1, 2))].reshape(-1, areas[0].size) for part in (maps, areas))
    if not len(flat):
        raise ValueError("no film has an area of the finding: a threshold needs some")
    falling = np.argsort(-flat, axis=1)
    common = np.take_along_axis(inside, falling, axis=1).cumsum(axis=1)
    overlap = 2 * common / (np.arange(1, flat.shape[1] + 1) + common[:, -1:])
    steps = np.diff(overlap, axis=1, prepend=0).ravel()
    values = np.take_along_axis(flat, falling, axis=1).ravel()
    order = np.argsort(-values)
    levels, mean = values[order], steps[order].cumsum() / len(flat)
    last = np.append(levels[1:] != levels[:-1], True)
    best = int(np.argmax(mean[last]))
    return MapThreshold(float(levels[last][best]), float(mean[last][best]))


def _moments(flat: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the pixels of `part` in each film."""
    count = part.sum(axis=1)
    mean = (flat * part).sum(axis=1) / count
    return mean, ((flat - mean[:, None]) ** 2 * part).sum(axis=1) / count


def _checked(maps: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if maps.ndim != 3 or maps.shape != areas.shape:
        raise ValueError(
            f"maps are of shape {maps.shape}, areas of {areas.shape}: both must be (films, height, width)"
        )
    if not np.isfinite(maps).all():
        raise ValueError(f"{int((~np.isfinite(maps)).sum())} of {maps.size} values of the maps are not finite")
    return np.asarray(maps, np.float64), np.asarray(areas, bool)


def _overlap(taken: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if taken.ndim != 3 or taken.shape != areas.shape:
        raise ValueError(f"areas are of shapes {taken.shape} and {areas.shape}: both must be (films, height, width)")
    first, second = (np.asarray(part, bool).reshape(len(part), -1) for part in (taken, areas))
    return (first & second).sum(axis=1), first.sum(axis=1), second.sum(axis=1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.ones(len(part)), where=whole > 0)
