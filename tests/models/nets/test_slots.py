"""Slots: the labels first, then their attributes."""

from __future__ import annotations

import numpy as np

from models.nets.slots import SIDED, SLOTS, sided_vector, slot_vector
from models.phantom.vocabulary import LABELS, Finding


def test_slots_hold_labels_first_and_then_their_attributes() -> None:
    vector = slot_vector([Finding("pleural effusion", "left", None, "small")])
    assert SLOTS[: len(LABELS)] == SIDED[: len(LABELS)] == LABELS
    assert [SLOTS[i] for i in np.flatnonzero(vector)] == [
        "pleural effusion", "pleural effusion/left", "pleural effusion/small"
    ]  # fmt: skip
    assert sided_vector([Finding("scoliosis", None, None, "mild")]).sum() == 1
