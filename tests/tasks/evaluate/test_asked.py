"""A task that is asked of a test set predicts for the validation films too, where it takes some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from storage.layout import DatasetRef, prediction_key
from storage.local import LocalStore
from storage.records import Manifest
from storage.versions import Version
from tasks.evaluate.asked import AskedTask, ask
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.paired_runs import kept_predictions
from tasks.evaluate.predictions import Predictions, read_predictions, to_table
from tasks.pretrain.runs import RunTrial
from tasks.recipe.base import KindSpec
from tests.tasks.pretrain.conftest import publish, toy_samples

FINGERPRINT = "ab" * 32
PLACE = partial(prediction_key, FINGERPRINT, 0)
CALLS: list[tuple[str, ...]] = []


class Index:
    """Predicts a film's number; says which films it was asked for."""

    needs = frozenset({"labels"})
    trains = False
    validates = True

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        return {"of": test.dataset}

    def predict(self, model: Any, data: EvaluationData) -> Predictions:
        assert model is not None
        CALLS.append((str(data.test),))
        return _numbers(data.test)

    def score(self, predictions: Sequence[Any], section: Any) -> Any:
        raise NotImplementedError


class AtOnce(Index):
    """Predicts for all sets in one call, as a task that trains does."""

    def predict_each(self, model: Any, data: EvaluationData, sets: Sequence[LabelledSet]) -> list[Predictions]:
        assert model is not None
        assert data.validation is sets[1]
        CALLS.append(tuple(map(str, sets)))
        return [_numbers(one) for one in sets]


def _numbers(films: LabelledSet) -> Predictions:
    scores = np.array([[row.index] for row in films.rows()], np.float32)
    return Predictions(films.ids(), ("x",), scores, np.zeros(scores.shape))


@pytest.fixture
def data(local_store: LocalStore) -> EvaluationData:
    CALLS.clear()
    for at, name in enumerate(("test", "held")):
        publish(local_store, name, toy_samples(name, 8, seed=at))
    test, held = (LabelledSet(Version.open(local_store, DatasetRef(name, "v1"))) for name in ("test", "held"))
    return EvaluationData(test, held)


def asked_of(data: EvaluationData, kind: type = Index) -> AskedTask:
    return ask(KindSpec(kind=f"{__name__}:{kind.__name__}"), data)


def test_predictions_for_the_validation_films_have_a_place_of_their_own(
    local_store: LocalStore, data: EvaluationData
) -> None:
    asked = asked_of(data)
    test, held = asked.predictions(local_store, PLACE, {}, lambda: object())  # pyright: ignore
    assert held is not None
    assert (test.films[0], held.films[0]) == ("test-00000", "held-00000")
    assert asked.predictions(local_store, PLACE, {}, lambda: pytest.fail("asked again"))[1] is not None
    assert CALLS == [("test/v1",), ("held/v1",)]
    trial = RunTrial(arm="random", seed=0, fingerprint=FINGERPRINT, step=0, pairs=0)
    kept = kept_predictions(local_store, [trial])
    assert [item.version for item in kept] == ["test@v1"], "runs are compared on test films"


def test_without_validation_films_the_hash_is_the_same_and_the_reason_is_told(data: EvaluationData) -> None:
    alone = asked_of(replace(data, validation=None))
    assert alone.identity() == alone.hash == asked_of(data).hash == asked_of(data).identity()[0]
    assert "sources.validation" in alone.unvalidated


def test_validation_films_without_what_the_task_needs_are_told(
    data: EvaluationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "needs", frozenset({"masks"}))
    asked = asked_of(data)
    assert asked.validated_on is None
    assert asked.unvalidated.startswith("dataset held/v1 has no masks")


def test_a_task_that_takes_no_validation_films_is_asked_of_the_test_films_alone(
    local_store: LocalStore, data: EvaluationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "validates", False)
    assert asked_of(data).predictions(local_store, PLACE, {}, lambda: object())[1] is None  # pyright: ignore
    assert CALLS == [("test/v1",)]


def test_a_task_that_predicts_for_several_sets_at_once_does_so_once(
    local_store: LocalStore, data: EvaluationData
) -> None:
    asked_of(data, AtOnce).predictions(local_store, PLACE, {}, lambda: object())  # pyright: ignore
    assert CALLS == [("test/v1", "held/v1")]


def test_what_a_task_that_trains_predicts_for_validation_films_belongs_to_one_test_set(
    local_store: LocalStore, data: EvaluationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AtOnce, "trains", True)
    publish(local_store, "other", toy_samples("other", 8, seed=2))
    other = LabelledSet(Version.open(local_store, DatasetRef("other", "v1")))
    for test in (data.test, other):
        asked = asked_of(replace(data, test=test, training=data.validation), AtOnce)
        asked.predictions(local_store, PLACE, {}, lambda: object())  # pyright: ignore
    assert CALLS == [("test/v1", "held/v1"), ("other/v1", "held/v1")]
    assert len(list(local_store.list("predictions/"))) == 4


def test_predictions_keep_what_the_rows_say_of_their_films_and_older_ones_are_told(
    local_store: LocalStore, data: EvaluationData
) -> None:
    asked = asked_of(data)
    key = PLACE(data.test.version.ref, asked.hash)
    older = _numbers(data.test)
    local_store.put(key, to_table(older, {}))
    test, held = asked.predictions(local_store, PLACE, {}, lambda: object())  # pyright: ignore
    assert held is not None
    assert data.validation is not None
    assert (test.facts, held.facts) == (data.test.facts(), data.validation.facts())
    assert read_predictions(local_store, key).facts is None, "what is stored stays as it is"
    others = [info.key for info in local_store.list("predictions/") if info.key != key]
    assert [read_predictions(local_store, one).facts for one in others] == [held.facts]
