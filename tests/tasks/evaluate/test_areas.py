"""Areas of findings at the size of a map, from masks before boxes; what is an empty one, and what is not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.local import LocalStore
from storage.masks import encode_mask
from storage.records import Box, PairRow
from storage.shards import Sample, sample_of
from tasks.evaluate.areas import area_of, areas
from tasks.evaluate.labels import CannotScore
from tests.tasks.evaluate.finetune.conftest import FINDING, opened
from tests.tasks.pretrain.conftest import toy_samples

LEFT = np.zeros((96, 96), bool)
LEFT[:, :48] = True
BOX = Box(finding="cardiomegaly", x=0, y=0, width=96, height=48)


def row(**facts: Any) -> PairRow:
    return PairRow(
        sample_id="a-0", index=0, findings="", impression="", entities=[], mentions=[], labels={}, report_seed=0,
        report_attempts=0, report_tokens=0, image_seed=0, image_attempts=0, png_sha256="", gates=[], **facts,
    )  # fmt: skip


def area(found: PairRow, name: str = "nodule", side: int = 8) -> np.ndarray | None:
    return area_of(found, lambda one: one.lower() if one.lower() != "foreign" else None, name, 32, side)


def test_a_box_covers_the_pixels_whose_middle_it_holds() -> None:
    found = area(row(boxes=[Box(finding="Nodule", x=8, y=0, width=16, height=4)]))
    expected = np.zeros((8, 8), bool)
    expected[0, 2:6] = True
    assert found is not None
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (31.2, 31.9), (15.9, 4.1)])
def test_a_box_smaller_than_a_pixel_is_one_pixel(x: float, y: float) -> None:
    found = area(row(boxes=[Box(finding="nodule", x=x, y=y, width=0.1, height=0.1)]))
    assert found is not None
    assert found.sum() == 1
    assert found[int(y // 4), int(x // 4)]


def test_masks_are_taken_before_boxes_and_joined() -> None:
    first, second = np.zeros((32, 32), bool), np.zeros((32, 32), bool)
    first[:8, :8], second[24:, 24:] = True, True
    masks = [encode_mask("nodule", first), encode_mask("nodule", second), encode_mask("other", ~first)]
    found = area(row(masks=masks, boxes=[Box(finding="nodule", x=0, y=0, width=32, height=32)]))
    assert found is not None
    expected = np.zeros((8, 8), bool)
    expected[:2, :2] = expected[6:, 6:] = True
    np.testing.assert_array_equal(found, expected)


def test_a_mask_too_small_for_the_map_is_one_pixel_and_an_empty_one_none() -> None:
    tiny = np.zeros((64, 64), bool)
    tiny[40, 9] = True
    found = area(row(masks=[encode_mask("nodule", tiny)]))
    assert found is not None
    assert found.sum() == 1
    assert found[5, 1]
    empty = area(row(masks=[encode_mask("nodule", np.zeros((64, 64), bool))]))
    assert empty is not None
    assert not empty.any()


def test_a_film_without_the_finding_has_no_area() -> None:
    assert area(row(boxes=[Box(finding="foreign", x=0, y=0, width=9, height=9)])) is None
    assert area(row()) is None


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
