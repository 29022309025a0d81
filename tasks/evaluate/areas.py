"""Where findings are on the films of a set: areas from masks, else from boxes, at the size of a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.findings.label_sets import load
from storage.masks import decode_mask
from storage.records import Box, PairRow
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import DEFAULT
from tasks.publish.dataset import frozen_recipe


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas of some findings on every film of a set; they are decoded when they are asked for.

    Args:
        names: of the findings.
        rows: of the films, with what counts as an area.
        spelt: from how rows call a finding to its name.
        film: side in pixels of the published films, which boxes are measured on.
        shown: (films, names) bool, where the film has an area of the finding.
        known: (films, names) bool, where the film has an area, or a label that says there is none.
    """

    names: tuple[str, ...]
    rows: tuple[PairRow, ...]
    spelt: dict[str, str]
    film: int
    shown: np.ndarray
    known: np.ndarray

    def of(self, film: int, side: int) -> np.ndarray:
        """The areas (names, side, side) bool on the film of a row; empty where it has none."""
        return np.stack([self.of_finding(film, at, side) for at in range(len(self.names))])

    def of_finding(self, film: int, at: int, side: int) -> np.ndarray:
        """The area (side, side) bool of finding ``names[at]`` on the film of a row; empty where it has none."""
        area = None
        if self.shown[film, at]:
            area = area_of(self.rows[film], self.spelt.get, self.names[at], self.film, side)
        return np.zeros((side, side), bool) if area is None else area

    @property
    def placed(self) -> np.ndarray:
        """(films,) bool, where a film has an area of any of the findings."""
        return np.asarray(self.shown.any(axis=1))


def areas(held: LabelledSet, names: Sequence[str] | None = None, *, boxes: bool = False) -> Areas:
    """The areas of a set.

    Args:
        held: the set.
        names: findings; None: those of the label set that have an area on some film, in its order.
        boxes: where a film has no mask of a finding, its boxes are areas.

    Raises:
        CannotScore: `names` is None and no film has an area of a finding of the label set, or the version does not say
            how large its films are.
    """
    label_set = load(held.version.manifest.label_set or DEFAULT)
    rows = held.rows() if boxes else tuple(row.model_copy(update={"boxes": ()}) for row in held.rows())
    placed = [{place.finding for place in (*row.masks, *row.boxes)} for row in rows]
    every = {each for found in placed for each in found}
    spelt = {each: label.name for each in every if (label := label_set.find(each)) is not None}
    if names is None:
        there = set(spelt.values())
        names = [label.name for label in label_set.labels if label.name in there]
        if not names:
            what = "neither a mask nor a box" if boxes else "no mask"
            raise CannotScore(f"dataset {held} has {what} of a finding: nothing on it can be placed")
    shown = np.array([[name in {spelt.get(each) for each in found} for name in names] for found in placed], bool)
    known = shown | (held.truth(names) == 0)
    return Areas(tuple(names), rows, spelt, film_size(held) if boxes else 0, shown, known)


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
