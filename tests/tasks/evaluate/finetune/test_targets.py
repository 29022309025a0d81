"""What is an area of a finding on a film, what is an empty one, and what is not known."""

from __future__ import annotations

import numpy as np
import pytest

from storage.local import LocalStore
from storage.masks import encode_mask
from storage.records import Box, PairRow
from storage.shards import Sample, sample_of
from tasks.evaluate.finetune.targets import areas
from tasks.evaluate.labels import CannotScore
from tests.tasks.evaluate.finetune.conftest import FINDING, opened
from tests.tasks.pretrain.conftest import toy_samples

LEFT = np.zeros((96, 96), bool)
LEFT[:, :48] = True
BOX = Box(finding="cardiomegaly", x=0, y=0, width=96, height=48)


def changed(sample: Sample, **facts: object) -> Sample:
    return sample_of(PairRow.model_validate({**sample.json, **facts}), sample.png)


@pytest.fixture
def samples() -> list[Sample]:
    facts = (
        {"masks": [encode_mask(FINDING, LEFT)], "boxes": [BOX], "labels": {FINDING: 1}},
        {"labels": {FINDING: 0, "cardiomegaly": 0}},
        {"labels": {FINDING: 1, "cardiomegaly": -1}},
    )
    return [changed(one, **fact) for one, fact in zip(toy_samples("t", 3, seed=1), facts, strict=True)]


def test_a_film_without_an_area_has_an_empty_one_where_its_label_says_so(
    local_store: LocalStore, samples: list[Sample]
) -> None:
    found = areas(opened(local_store, "toy", samples))
    assert found.names == (FINDING,)
    assert found.shown[:, 0].tolist() == [True, False, False]
    assert found.known[:, 0].tolist() == [True, True, False]
    np.testing.assert_array_equal(found.of(0, 48)[0], LEFT[::2, ::2])
    assert not found.of(1, 48).any()


def test_boxes_are_areas_where_they_are_asked_for(
    local_store: LocalStore, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = opened(local_store, "toy", samples)
    monkeypatch.setattr("tasks.evaluate.areas.frozen_recipe", lambda _: ("", {}))
    with pytest.raises(CannotScore, match="dataset toy/v1 does not say how large its films are"):
        areas(held, boxes=True)
    monkeypatch.setattr("tasks.evaluate.areas.frozen_recipe", lambda _: ("", {"size": 96}))
    found = areas(held, boxes=True)
    assert set(found.names) == {FINDING, "cardiomegaly"}
    heart = found.names.index("cardiomegaly")
    assert found.shown[:, heart].tolist() == [True, False, False]
    assert found.known[:, heart].tolist() == [True, True, False]
    np.testing.assert_array_equal(found.of(0, 48)[heart], LEFT.T[::2, ::2])
    assert areas(held, ("cardiomegaly",)).shown.sum() == 0
