"""The areas of findings on the films of a set, as a network learns and is scored on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.findings.label_sets import load
from storage.records import PairRow
from tasks.evaluate.areas import area_of
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import DEFAULT


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas of some findings on every film of a set; they are decoded when they are asked for.

    Args:
        names: of the findings.
        rows: of the films, with masks alone.
        spelt: from how rows call a finding to its name.
        shown: (films, names) bool, where the film has an area of the finding.
        known: (films, names) bool, where the film has an area, or a label that says there is none.
    """

    names: tuple[str, ...]
    rows: tuple[PairRow, ...]
    spelt: dict[str, str]
    shown: np.ndarray
    known: np.ndarray

    def of(self, film: int, side: int) -> np.ndarray:
        """The areas (names, side, side) bool on the film of a row; empty where it has none."""
        found = np.zeros((len(self.names), side, side), bool)
        there: list[int] = np.flatnonzero(self.shown[film]).tolist()
        for at in there:
            area = area_of(self.rows[film], self.spelt.get, self.names[at], 0, side)
            found[at] = area if area is not None else False
        return found


def areas(held: LabelledSet, names: Sequence[str] | None = None) -> Areas:
    """The masks of a set.

    Args:
        held: the set.
        names: findings; None: those of the label set that have a mask on some film, in its order.

    Raises:
        CannotScore: `names` is None, and no film has a mask of a finding of the label set.
    """
    label_set = load(held.version.manifest.label_set or DEFAULT)
    every = {mask.finding for row in held.rows() for mask in row.masks}
    spelt = {each: label.name for each in every if (label := label_set.find(each)) is not None}
    if names is None:
        there = set(spelt.values())
        names = [label.name for label in label_set.labels if label.name in there]
        if not names:
            raise CannotScore(f"dataset {held} has no mask of a finding: it cannot test segmentation")
    place = {name: at for at, name in enumerate(names)}
    shown = np.zeros((len(held.rows()), len(names)), bool)
    for line, row in zip(shown, held.rows(), strict=True):
        for mask in row.masks:
            if (at := place.get(spelt.get(mask.finding, ""))) is not None:
                line[at] = True
    known = shown | (held.truth(names) == 0)
    rows = tuple(row.model_copy(update={"boxes": ()}) for row in held.rows())
    return Areas(tuple(names), rows, spelt, shown, known)
