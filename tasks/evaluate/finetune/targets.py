"""The areas of findings on the films of a set, as a network learns and is scored on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.findings.label_sets import load
from storage.records import PairRow
from tasks.evaluate.areas import area_of, film_size
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import DEFAULT


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
        found = np.zeros((len(self.names), side, side), bool)
        there: list[int] = np.flatnonzero(self.shown[film]).tolist()
        for at in there:
            area = area_of(self.rows[film], self.spelt.get, self.names[at], self.film, side)
            found[at] = area if area is not None else False
        return found


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
            raise CannotScore(f"dataset {held} has {what} of a finding: it cannot test segmentation")
    shown = np.array([[name in {spelt.get(each) for each in found} for name in names] for found in placed], bool)
    known = shown | (held.truth(names) == 0)
    return Areas(tuple(names), rows, spelt, film_size(held) if boxes else 0, shown, known)
