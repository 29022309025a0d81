"""Maps of films: how well each place fits the prompts of a finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.prompts import FindingPrompts
from tasks.evaluate.zero_shot import direction

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel

SIDE = 64
"""Side in pixels of the maps that are scored."""
MAP = (
    "the map of a finding is the product of each place's embedding with the difference between the finding's prompts "
    "and those of a normal film, over the length of the mean place, less the mean of such maps over the validation "
    "films where there are some"
)


@dataclass(frozen=True, slots=True)
class FindingMaps:
    """The maps that a model makes of findings.

    The value of a place is the product of its embedding with the difference between the finding's prompts and those
    that it is contrasted with, in units of the length of the film's mean place. The mean of a map is then the
    zero-shot score of the mean place, and each place has its part of it. Places are the finer ones
    (`models.vlp.features.finer_places`).

    A tower also answers to where a place is: a map has hills that every film has there. They say nothing of the film
    at hand, so the mean map of the validation films is subtracted.

    Args:
        model: whose image tower embeds places.
        contrast: (findings, d), the prompts of each less those that it is contrasted with.
        common: (height, width, findings), what is subtracted; None: nothing.
    """

    model: VisionLanguageModel
    contrast: np.ndarray
    common: np.ndarray | None = None

    def of(self, held: LabelledSet, chosen: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """The maps (height, width, findings) of one film after another; no film but the chosen is embedded.

        Args:
            held: the films.
            chosen: (films,) bool; None: all.

        Raises:
            NoFeatures: the image tower gives no map.
        """
        done = 0
        for block in held.blocks(self.model.film_size):
            wanted = block if chosen is None else block[chosen[done : done + len(block)]]
            done += len(block)
            for part in self.model.embed_regions(wanted, finer=True):
                length = np.linalg.norm(part.mean(axis=(1, 2), keepdims=True), axis=3, keepdims=True)
                maps = (part / np.maximum(length, 1e-8)) @ self.contrast.T
                yield from maps if self.common is None else maps - self.common


def finding_maps(
    model: VisionLanguageModel, prompts: Sequence[FindingPrompts], validation: LabelledSet | None
) -> FindingMaps:
    """The maps that a model makes of findings, less what they have in common on the validation films.

    Args:
        model: whose maps they are.
        prompts: of each finding.
        validation: films of the same kind as those that are asked of, but none of them; None: nothing is subtracted.

    Raises:
        NoFeatures: the image tower gives no map.
    """
    contrast = np.stack([direction(model, item.positive) - direction(model, item.negative) for item in prompts])
    plain = FindingMaps(model, contrast)
    if validation is None:
        return plain
    maps = plain.of(validation)
    common = next(maps).astype(np.float64)
    for one in maps:
        common += one
    return FindingMaps(model, contrast, (common / len(validation.rows())).astype(np.float32))


def enlarged(places: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A map (height, width) as (side, side), bilinear."""
    import cv2

    return np.asarray(cv2.resize(np.ascontiguousarray(places), (side, side), interpolation=cv2.INTER_LINEAR))
