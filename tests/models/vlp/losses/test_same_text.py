"""Equal texts of a batch are counted, and are positives where that is asked for."""

from __future__ import annotations

import torch

from models.vlp.losses.same_text import positives_of

TEXTS = ("Clear.", "Nodule.", "Clear.", "Effusion.", "Clear.")


def test_as_negatives_only_the_diagonal_counts() -> None:
    assert positives_of(TEXTS, "negative") is None


def test_as_positives_rows_of_equal_texts_belong_together() -> None:
    found = positives_of(TEXTS, "positive")
    assert found is not None
    assert found.tolist() == [[a == b for b in TEXTS] for a in TEXTS]


def test_without_equal_texts_the_positives_are_the_diagonal() -> None:
    found = positives_of(("a", "b", "c"), "positive")
    assert found is not None
    assert torch.equal(found, torch.eye(3, dtype=torch.bool))
