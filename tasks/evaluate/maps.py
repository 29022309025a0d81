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


@dataclass(frozen=True, slots=True)
class FindingMaps:
    """The maps that a model makes of findings.

    A place of the image tower fits a finding by its cosine with the finding's prompts less that with the prompts
    that it is contrasted with.

    Args:
        model: whose image tower embeds places.
        prompts: of each finding.
    """

    model: VisionLanguageModel
    prompts: Sequence[FindingPrompts]

    def of(self, held: LabelledSet, chosen: np.ndarray) -> Iterator[np.ndarray]:
        """The maps (height, width, findings) of one chosen film after another; no other film is embedded.

        Args:
            held: the films.
            chosen: (films,) bool.

        Raises:
            NoFeatures: the image tower gives no map.
        """
        contrast = np.stack(
            [direction(self.model, item.positive) - direction(self.model, item.negative) for item in self.prompts]
        )
        done = 0
        for block in held.blocks(self.model.film_size):
            wanted = block[chosen[done : done + len(block)]]
            done += len(block)
            for part in self.model.embed_regions(wanted):
                lengths = np.linalg.norm(part, axis=3, keepdims=True)
                yield from (part / np.maximum(lengths, 1e-8)) @ contrast.T


def enlarged(places: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A map (height, width) as (side, side), bilinear."""
    import cv2

    return np.asarray(cv2.resize(np.ascontiguousarray(places), (side, side), interpolation=cv2.INTER_LINEAR))
