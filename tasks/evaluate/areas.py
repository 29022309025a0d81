"""Where the findings of a test set are: areas from masks, else from boxes, at the size of a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from storage.masks import decode_mask
from storage.records import Box, PairRow
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.publish.dataset import frozen_recipe


def area_of(row: PairRow, finding: Callable[[str], str | None], name: str, film: int, side: int) -> np.ndarray | None:
    """The area (side, side) bool of a finding on a film, or None where the row has none of it.

    A mask is taken before a box, as a box is larger than what it holds. A pixel of the result is inside where the
    middle of it is; an area too small for that is one pixel.

    Args:
        row: of the film.
        finding: from a name in the row to that in the label set; None for one that the set does not have.
        name: of the finding, as the label set has it.
        film: side in pixels of the published film, which boxes are measured on.
        side: of the result.
    """
    masks = [decode_mask(mask) for mask in row.masks if finding(mask.finding) == name]
    boxes = [box for box in row.boxes if finding(box.finding) == name]
    if masks:
        return np.logical_or.reduce([_resized(mask, side) for mask in masks])
    return _boxed(boxes, film, side) if boxes else None


def film_size(held: LabelledSet) -> int:
    """Side in pixels of the published films of a set, which boxes are measured on; 0 where there is no box.

    Raises:
        CannotScore: there are boxes, and the version does not say.
    """
    if not any(row.boxes for row in held.rows()):
        return 0
    size = frozen_recipe(held.version)[1].get("size")
    if not isinstance(size, int):
        raise CannotScore(f"dataset {held} does not say how large its films are, which its boxes are measured on")
    return size


def _resized(mask: np.ndarray, side: int) -> np.ndarray:
    height, width = mask.shape
    middles = (np.arange(side) + 0.5) / side
    small = mask[np.ix_((middles * height).astype(int), (middles * width).astype(int))]
    if small.any() or not mask.any():
        return small
    down, across = (int(places.mean()) for places in np.nonzero(mask))
    small[down * side // height, across * side // width] = True
    return small


def _boxed(boxes: Sequence[Box], film: int, side: int) -> np.ndarray:
    area = np.zeros((side, side), bool)
    middles = (np.arange(side) + 0.5) * film / side
    for box in boxes:
        down = (middles >= box.y) & (middles < box.y + box.height)
        across = (middles >= box.x) & (middles < box.x + box.width)
        if not (down.any() and across.any()):
            middle = (box.y + box.height / 2, box.x + box.width / 2)
            at = tuple(min(side - 1, max(0, int(place * side / film))) for place in middle)
            area[at] = True
        area |= np.outer(down, across)
    return area
