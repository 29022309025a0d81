"""Retrieval on a test set: a model that tells the films apart finds every report, one that does not finds none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.records import PairRow
from storage.shards import Sample, sample_of
from storage.versions import Version
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_problems
from tasks.evaluate.retrieval import Retrieval
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection
from tests.tasks.pretrain.conftest import publish, toy_samples

SECTION = EvaluateSection(bootstrap=50, comparisons=())


class Knows:
    """Embeds the films of a test set by the number of their text, and texts by the same number."""

    film_size = 96
    identity = None

    def __init__(self, texts: Sequence[str], *, blind: bool = False) -> None:
        self.texts, self.blind, self.at = list(texts), blind, 0
        self.numbers = {text: at for at, text in enumerate(dict.fromkeys(texts))}

    def embed_images(self, films: np.ndarray) -> np.ndarray:
        rows = [self._unit(text) for text in self.texts[self.at : self.at + len(films)]]
        self.at += len(films)
        return np.stack(rows)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._unit(text) for text in texts])

    def _unit(self, text: str) -> np.ndarray:
        row = np.zeros(len(self.numbers), np.float32)
        row[0 if self.blind else self.numbers[text]] = 1
        return row


def opened(store: LocalStore, samples: list[Sample]) -> LabelledSet:
    draw = publish(store, "toy", samples)
    return LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))


def table(test: LabelledSet, model: Any) -> Any:
    task = Retrieval()
    return task.score([TrialPredictions("ours", 0, task.predict(model, EvaluationData(test)))], SECTION)


def test_a_model_that_tells_films_apart_finds_all_and_a_blind_one_ranks_in_the_middle(local_store: LocalStore) -> None:
    test = opened(local_store, toy_samples("toy", 24, seed=3))
    texts = [row.impression for row in test.rows()]
    assert len(set(texts)) < len(texts), "equal reports count as one"
    perfect = table(test, Knows(texts)).of("ours")
    assert perfect.macro == 1
    assert set(perfect.per_label) == {
        f"{direction}, first {k}" for direction in ("film to report", "report to film") for k in (1, 5, 10)
    }
    assert table(test, Knows(texts, blind=True)).of("ours").per_label["film to report, first 1"].value == 0


def test_a_film_without_a_report_has_no_rank_and_hides_no_other(local_store: LocalStore) -> None:
    samples = toy_samples("toy", 12, seed=3)
    bare = PairRow.model_validate({**samples[0].json, "impression": "", "findings": ""})
    test = opened(local_store, [sample_of(bare, samples[0].png), *samples[1:]])
    predictions = Retrieval().predict(Knows([row.impression for row in test.rows()]), EvaluationData(test))  # pyright: ignore
    assert np.isnan(predictions.scores[0]).all()
    assert (predictions.scores[1:] == 1).all()


def test_without_two_different_reports_there_is_nothing_to_find(local_store: LocalStore) -> None:
    samples = [sample for sample in toy_samples("toy", 40, seed=3) if sample.json["impression"].startswith("No acute")]
    test = opened(local_store, samples)
    with pytest.raises(CannotScore, match="have not two different reports"):
        Retrieval().predict(Knows(["x"]), EvaluationData(test))  # pyright: ignore


def test_it_is_a_task_with_an_option_for_the_text() -> None:
    assert isinstance(build_task(KindSpec(kind="retrieval", options={"text": "report"})), EvaluationTask)
    assert "options.text" in task_problems(KindSpec(kind="retrieval", options={"text": "title"}))
