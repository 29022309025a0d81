"""A linear probe learns what the embeddings hold, from training films alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.versions import Version
from tasks.evaluate.finetune.nested import nested_subset
from tasks.evaluate.finetune.probe import STRENGTHS, Probe
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_hash, task_problems
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate.test_evaluate import publish, sample

FINDINGS = ("lung nodule", "pneumothorax")
SECTION = EvaluateSection(bootstrap=20)


class Reads:
    """A model whose embedding holds a finding in its first number, and noise; the second finding is in none."""

    film_size = 96
    identity = None

    def __init__(self, marks: dict[bytes, float]) -> None:
        self.marks, self.asked = marks, 0

    def embed_images(self, films: np.ndarray) -> np.ndarray:
        self.asked += 1
        noise = np.random.default_rng(0).normal(size=(len(films), 3)).astype(np.float32)
        first = np.array([[self.marks[film.tobytes()]] for film in films], np.float32)
        return np.concatenate([first, noise], axis=1)


def labelled(store: LocalStore, name: str, first: int, films: int) -> LabelledSet:
    samples = [sample(at, {FINDINGS[0]: at % 2, FINDINGS[1]: int(at % 3 == 0)}) for at in range(first, first + films)]
    ref = DatasetRef(name, "v1")
    publish(store, ref, samples)
    return LabelledSet(Version.open(store, ref))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EvaluationData:
    store = LocalStore(tmp_path_factory.mktemp("store"))
    training, validation, test = (
        labelled(store, name, first, films)
        for name, first, films in (("training", 0, 40), ("validation", 40, 12), ("test", 60, 12))
    )
    return EvaluationData(test, validation, training)


@pytest.fixture(scope="module")
def model(data: EvaluationData) -> Any:
    marks: dict[bytes, float] = {}
    for held in (data.training, data.validation, data.test):
        assert held is not None
        marks |= {
            film.tobytes(): row.labels[FINDINGS[0]] + 0.1 * (row.index % 5)
            for film, row in zip(held.images(96), held.rows(), strict=True)
        }
    return Reads(marks)


def test_what_the_embeddings_hold_is_found_and_the_films_are_seen_once(data: EvaluationData, model: Any) -> None:
    found = Probe().predict(model, data)
    table = Probe().score([TrialPredictions("ours", 0, found)], SECTION)
    assert table.of("ours").per_label[FINDINGS[0]].value == 1
    assert table.of("ours").per_label[FINDINGS[1]].value < 0.9
    asked = model.asked
    Probe(share=0.5).predict(model, data)
    assert model.asked == asked


def test_validation_films_are_scored_by_the_same_regression(data: EvaluationData, model: Any) -> None:
    assert data.validation is not None
    test, held = Probe().predict_each(model, data, [data.test, data.validation])
    assert (test.scores == Probe().predict(model, data).scores).all()
    assert (held.films, held.labels) == (data.validation.ids(), test.labels)
    ours = Probe().score([TrialPredictions("ours", 0, test, validation=held)], SECTION).of("ours")
    assert ours.per_label[FINDINGS[0]].beside["F1"].value == 1
    assert 0 < ours.beside["ECE"].value < 0.5


def test_it_is_logistic_regression_of_the_share_with_the_strength_that_is_best_on_validation(
    data: EvaluationData, model: Any
) -> None:
    training, validation = data.to_train_on("probe")
    rows = nested_subset(training.ids(), None, 0.3)
    learnt, truth = training.embeddings(model)[rows], training.truth(FINDINGS)[rows][:, 0]
    scaler = StandardScaler().fit(learnt)
    candidates = [
        LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(learnt), truth) for strength in STRENGTHS
    ]
    found = Probe(share=0.3).predict(model, data).scores[:, 0]
    decided = [fit.decision_function(scaler.transform(data.test.embeddings(model))) for fit in candidates]
    assert min(float(np.abs(found - one).max()) for one in decided) < 1e-5
    assert len(validation.rows()) == 12


def test_a_finding_without_both_labels_in_training_scores_a_half(data: EvaluationData, model: Any) -> None:
    training = data.training
    assert training is not None
    alone = nested_subset(training.ids(), None, 0.01)
    assert len(alone) == 1
    found = Probe(share=0.01).predict(model, data)
    assert (found.scores == 0).all()
    assert Probe(share=0.01).score([TrialPredictions("ours", 0, found)], SECTION).of("ours").macro == 0.5


def test_without_films_to_train_on_it_says_which_sources_to_set(data: EvaluationData, model: Any) -> None:
    with pytest.raises(CannotScore, match=r"trains on labelled films: set sources\.finetune and sources\.val"):
        Probe().predict(model, EvaluationData(data.test))
    with pytest.raises(CannotScore, match=r"set sources\.finetune$"):
        Probe().predict(model, EvaluationData(data.test, data.validation))


def test_it_is_a_task_whose_hash_follows_what_it_trains_on(data: EvaluationData) -> None:
    spec = KindSpec(kind="probe", options={"share": 0.1})
    task = build_task(spec)
    assert isinstance(task, EvaluationTask)
    swapped = EvaluationData(data.test, data.training, data.validation)
    assert task_hash(spec, task, data) != task_hash(spec, task, swapped)
    zero_shot = KindSpec(kind="zero_shot")
    assert task_hash(zero_shot, build_task(zero_shot), data) == task_hash(zero_shot, build_task(zero_shot), swapped)
    assert "options.share" in task_problems(KindSpec(kind="probe", options={"share": 2.0}))
