"""Say a film's findings as one vector of yes and no: present, and each side, zone and severity.

The shipped networks answer for the label set ``phantom``, in its order.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.findings.finding import Finding
from models.findings.label_sets import LabelSet, load

__all__ = ["LABEL_SET", "SIDED", "SLOTS", "sided", "sided_vector", "slot_vector"]


LABEL_SET = load("phantom")
_BOTH_SIDES = ("left", "right")


def _slots() -> tuple[str, ...]:
    names = list(LABEL_SET.names)
    for kind in LABEL_SET.labels:
        names += [f"{kind.name}/{value}" for value in (*kind.sides, *kind.zones, *kind.severities)]
    return tuple(names)


def sided(label_set: LabelSet) -> tuple[str, ...]:
    """The labels of a set, then ``label/side`` of those that have sides."""
    sides = (f"{label.name}/{side}" for label in label_set.labels for side in _BOTH_SIDES if label.sides)
    return (*label_set.names, *sides)


SLOTS: tuple[str, ...] = _slots()
SIDED: tuple[str, ...] = sided(LABEL_SET)
_SLOT_AT = {name: i for i, name in enumerate(SLOTS)}
_SIDED_AT = {name: i for i, name in enumerate(SIDED)}


def slot_vector(findings: Iterable[Finding]) -> np.ndarray:
    """Float32 (len(SLOTS),) of 0 and 1; the first `len(LABEL_SET.names)` are the labels themselves."""
    return _vector(findings, _SLOT_AT)


def sided_vector(findings: Iterable[Finding]) -> np.ndarray:
    """Float32 (len(SIDED),) of 0 and 1: labels, then ``label/side``."""
    return _vector(findings, _SIDED_AT)


def _vector(findings: Iterable[Finding], places: dict[str, int]) -> np.ndarray:
    vector = np.zeros(len(places), np.float32)
    for finding in findings:
        vector[places[finding.name]] = 1
        for value in (finding.side, finding.zone, finding.severity):
            place = places.get(f"{finding.name}/{value}")
            if place is not None:
                vector[place] = 1
    return vector
