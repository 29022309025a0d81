"""Shares of the labelled films are nested, by patient, and the same for every model."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.finetune.nested import nested_subset

PATIENTS = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), min_size=1, max_size=40)


@given(patients=PATIENTS, one=st.floats(0.01, 1), other=st.floats(0.01, 1), seed=st.integers(0, 3))
def test_a_smaller_share_is_part_of_a_larger_one_and_no_patient_is_divided(
    patients: list[str | None], one: float, other: float, seed: int
) -> None:
    ids = [f"f{at}" for at in range(len(patients))]
    small, large = (set(nested_subset(ids, patients, share, seed).tolist()) for share in sorted((one, other)))
    assert small
    assert small <= large
    taken = {patients[at] for at in small} - {None}
    assert all(at in small for at, patient in enumerate(patients) if patient in taken)
    assert len(nested_subset(ids, patients, 1.0, seed)) == len(ids)


def test_the_order_follows_the_ids_and_the_seed_and_not_the_place() -> None:
    ids = [f"f{at}" for at in range(50)]
    chosen = {ids[at] for at in nested_subset(ids, None, 0.2)}
    assert len(chosen) == 10
    backwards = ids[::-1]
    assert {backwards[at] for at in nested_subset(backwards, None, 0.2)} == chosen
    assert {ids[at] for at in nested_subset(ids, None, 0.2, seed=1)} != chosen
    assert np.array_equal(nested_subset(["x"], [None], 0.01), [0])
