"""Grounding on a test set with masks: a map that lights up where the finding is scores above chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from models.vlp.model import create
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.masks import encode_mask
from storage.records import PairRow
from storage.shards import Sample, sample_of
from storage.versions import Version
from tasks.evaluate.asked import ask
from tasks.evaluate.grounding import CHANCE, Grounding, Measure
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_problems
from tasks.evaluate.scores import ScoreTable
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection
from tests.tasks.pretrain.conftest import publish, toy_samples

SECTION = EvaluateSection(bootstrap=50, comparisons=())
FINDING = "lung nodule"
"""The toy films show it at a height and a breadth of 0.3 of their side."""


class Bright:
    """Embeds places by their grey: bright places fit every finding, dark ones a normal film."""

    film_size = 96

    def __init__(self, sign: float = 1.0, floor: float = 0.0) -> None:
        self.sign, self.floor = sign, floor

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        finding = ["nodule" in text for text in texts]
        return np.array([[1.0, 0.0] if one else [0.0, 1.0] for one in finding], np.float32)

    def embed_regions(self, films: np.ndarray, *, finer: bool) -> Iterator[np.ndarray]:
        assert finer
        grey = films.reshape(-1, 24, 4, 24, 4).mean(axis=(2, 4)) / 255
        grey = np.where(grey > self.floor, grey, 0)
        yield np.stack([0.5 + self.sign * (grey - 0.5), np.full_like(grey, 0.5)], axis=3).astype(np.float32)


def with_mask(sample: Sample, *, radius: int = 16) -> Sample:
    down, across = np.mgrid[:96, :96]
    inside = (down - 0.3 * 96) ** 2 + (across - 0.3 * 96) ** 2 < radius**2
    masks = [encode_mask(FINDING, inside)] if sample.json["labels"][FINDING] else []
    return sample_of(PairRow.model_validate({**sample.json, "masks": masks}), sample.png)


def opened(store: LocalStore, samples: list[Sample], name: str = "toy") -> LabelledSet:
    draw = publish(store, name, samples)
    return LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))


def only_nodules(films: int = 40, seed: int = 3) -> list[Sample]:
    """Films that show the nodule and nothing else, or nothing."""
    samples = toy_samples("toy", films, seed)
    return [with_mask(one) for one in samples if sum(one.json["labels"].values()) == one.json["labels"][FINDING]]


@pytest.fixture
def test(local_store: LocalStore) -> LabelledSet:
    return opened(local_store, only_nodules())


def table(task: Grounding, test: LabelledSet, model: Any, validation: LabelledSet | None = None) -> ScoreTable:
    return task.score([TrialPredictions("ours", 0, task.predict(model, EvaluationData(test, validation)))], SECTION)


def test_a_map_that_lights_up_where_the_finding_is_points_at_it(test: LabelledSet) -> None:
    found = table(Grounding(), test, Bright())
    assert found.of("ours").per_label[FINDING].value == 1
    assert found.of(CHANCE).per_label[FINDING].value == pytest.approx(np.pi * 16**2 / 96**2, rel=0.05)
    shown = sum(bool(row.masks) for row in test.rows())
    assert found.of("ours").per_label[FINDING].positives == shown < len(test.rows())
    assert table(Grounding(), test, Bright(-1)).of("ours").macro == 0


def test_the_other_measures_see_it_too(test: LabelledSet) -> None:
    assert table(Grounding("contrast"), test, Bright()).of("ours").macro > 1
    assert table(Grounding("contrast"), test, Bright(-1)).of("ours").macro > 1, "its sign does not count"


def test_overlap_is_from_a_level_of_the_validation_films_with_the_best_level_beside_it(
    local_store: LocalStore, test: LabelledSet
) -> None:
    validation = opened(local_store, only_nodules(seed=4), "held")
    found = table(Grounding("dice"), test, Bright(), validation)
    ours = found.of("ours")
    kinds = ["Dice", "Dice, all films", "IoU", "IoU, all films"]
    assert [found.metric, *ours.beside] == [*kinds, *(f"{kind} (oracle)" for kind in kinds)]
    assert 0.5 < ours.macro <= ours.beside["Dice (oracle)"].value < 1
    assert 0.5 < ours.beside["IoU"].value < ours.macro
    assert table(Grounding("dice"), test, Bright(-1), validation).of("ours").macro < 0.3


def test_films_without_the_finding_count_one_where_nothing_is_taken(
    local_store: LocalStore, test: LabelledSet
) -> None:
    validation = opened(local_store, only_nodules(seed=4), "held")
    shown = sum(bool(row.masks) for row in test.rows())
    plain = len(test.rows()) - shown

    def of_all(model: Bright) -> tuple[float, float]:
        found = table(Grounding("dice"), test, model, validation).of("ours")
        assert found.per_label[FINDING].positives == shown
        return found.beside["Dice, all films"].value * (shown + plain), found.macro * shown

    dark, lit = of_all(Bright(floor=0.55)), of_all(Bright())
    assert dark[0] == pytest.approx(dark[1] + plain)
    assert lit[0] < lit[1] + plain - 1, "some grey reaches the level"


def test_without_validation_films_only_the_best_level_is_there(test: LabelledSet) -> None:
    found = table(Grounding("dice"), test, Bright())
    assert found.metric == "Dice (oracle)"
    assert list(found.of("ours").beside) == ["Dice, all films (oracle)", "IoU (oracle)", "IoU, all films (oracle)"]


def test_validation_films_count_in_the_hash(local_store: LocalStore, test: LabelledSet) -> None:
    grounding = KindSpec(kind="grounding")
    alone = ask(grounding, EvaluationData(test))
    held = opened(local_store, only_nodules(seed=4), "held")
    assert ask(grounding, EvaluationData(test, held)).hash != alone.hash
    assert "sources.validation" in alone.unvalidated
    unplaced = opened(local_store, toy_samples("plain", 8, seed=3), "plain")
    without = ask(grounding, EvaluationData(test, unplaced))
    assert without.hash == alone.hash
    assert without.unvalidated.startswith("dataset plain/v1 has no boxes or masks")


def test_films_without_an_area_are_embedded_only_where_overlap_asks_for_them(test: LabelledSet) -> None:
    shown = sum(bool(row.masks) for row in test.rows())
    seen: list[int] = []

    class Counting(Bright):
        def embed_regions(self, films: np.ndarray, *, finer: bool) -> Iterator[np.ndarray]:
            seen.append(len(films))
            yield from super().embed_regions(films, finer=finer)

    embedded: dict[Measure, int] = {"pointing": shown, "contrast": shown, "dice": len(test.rows())}
    for measure, films in embedded.items():
        seen.clear()
        table(Grounding(measure), test, Counting())
        assert sum(seen) == films


def test_a_model_of_ours_gives_maps_of_every_film(test: LabelledSet) -> None:
    predictions = Grounding().predict(create(seed=0), EvaluationData(test))
    shown = np.array([bool(row.masks) for row in test.rows()])
    assert np.isfinite(predictions.scores[shown]).all()
    assert np.isnan(predictions.scores[~shown]).all()


def test_a_test_set_without_areas_is_refused(local_store: LocalStore) -> None:
    with pytest.raises(CannotScore, match="neither a mask nor a box"):
        Grounding().predict(create(seed=0), EvaluationData(opened(local_store, toy_samples("toy", 8, seed=3))))


def test_it_is_a_task_with_a_measure() -> None:
    assert isinstance(build_task(KindSpec(kind="grounding", options={"measure": "contrast"})), EvaluationTask)
    assert "options.measure" in task_problems(KindSpec(kind="grounding", options={"measure": "guess"}))
