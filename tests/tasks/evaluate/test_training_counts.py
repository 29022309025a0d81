"""Counts of findings among exactly the pairs that a trial was trained on, in the labels of the test set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.records import PairRow
from storage.shards import Sample, sample_of
from storage.versions import Version
from tasks.evaluate.training_counts import TrainingCounter
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.subset import open_subset
from tasks.recipe.base import KindSpec
from tests.tasks.pretrain.conftest import publish, toy_samples


def relabelled(sample: Sample, at: int, **names: str) -> Sample:
    """The sample with labels of the phantom: one in every film, the other in every fourth."""
    labels = {names["every"]: 1, names["fourth"]: int(at % 4 == 0), "lung nodule": -1}
    row = PairRow.model_validate(sample.json).model_copy(update={"labels": labels})
    return sample_of(row, sample.png)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ObjectStore, Draw]:
    store = LocalStore(tmp_path_factory.mktemp("store"))
    samples = [
        relabelled(sample, at, every="Pleural_Effusion", fourth="pneumothorax")
        for at, sample in enumerate(toy_samples("count", 40, seed=1))
    ]
    return store, publish(store, "count", samples)


def trial(*mix: Draw, seed: int = 0) -> Trial:
    return Trial(arm=Arm(name="any", mix=mix, samples_seen=32), objective=KindSpec(kind="clip"), seed=seed)


def test_all_pairs_are_counted_and_uncertain_labels_are_not_positive(made: tuple[ObjectStore, Draw]) -> None:
    store, draw = made
    found = TrainingCounter(store, "phantom").count(trial(draw))
    assert found.positives == {"pleural effusion": 40, "pneumothorax": 10}
    assert found.missing == ""


@pytest.mark.parametrize("seed", [0, 3])
def test_only_the_pairs_that_the_seed_draws_count(made: tuple[ObjectStore, Draw], seed: int) -> None:
    store, draw = made
    part = draw.model_copy(update={"pairs": 12})
    drawn = set(open_subset(store, part, seed).ids)
    rows = Version.open(store, DatasetRef(draw.dataset, draw.version)).rows()
    shown = sum(row.labels["pneumothorax"] for row in rows if row.sample_id in drawn)
    found = TrainingCounter(store, "phantom").count(trial(part, seed=seed))
    assert (found.positives["pleural effusion"], found.positives["pneumothorax"]) == (12, shown)


def test_every_source_of_a_mix_counts(made: tuple[ObjectStore, Draw]) -> None:
    store, draw = made
    assert TrainingCounter(store, "phantom").count(trial(draw, draw)).positives["pneumothorax"] == 20


def test_labels_are_mapped_to_those_of_the_test_set_by_meaning(made: tuple[ObjectStore, Draw]) -> None:
    store, draw = made
    found = TrainingCounter(store, "chexpert-14").count(trial(draw)).positives
    assert (found["Pleural Effusion"], found["Pneumothorax"]) == (40, 10)


def test_rows_are_read_once_for_all_trials(made: tuple[ObjectStore, Draw], monkeypatch: Any) -> None:
    store, draw = made
    counter = TrainingCounter(store, "phantom")
    first = counter.count(trial(draw))
    monkeypatch.setattr(Version, "rows", lambda *_: pytest.fail("rows were read again"))
    assert counter.count(trial(draw, seed=1)) == replace(first)


def test_what_cannot_be_counted_has_a_reason(made: tuple[ObjectStore, Draw]) -> None:
    store, draw = made
    counter = TrainingCounter(store, "phantom")
    assert counter.count(trial()).missing == "nothing was trained"
    assert "gone/v1" in counter.count(trial(draw.model_copy(update={"dataset": "gone"}))).missing
    other = draw.model_copy(update={"fingerprint": "x" * 20})
    assert "the arm was planned on xxxxxxxxxxxx" in counter.count(trial(other)).missing
    unknown = publish(store, "odd-labels", toy_samples("odd", 8, seed=2))
    assert "label set phantom has no" in counter.count(trial(unknown)).missing
