"""A task of one's own is added by naming it, and what changes its predictions changes its hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.contracts import ModelNotFound
from models.vlp.text_tower import TextTower
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.records import Manifest
from storage.versions import Version
from tasks.evaluate.evaluate import evaluate_run
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_hash, task_problems
from tasks.evaluate.scores import Scores, ScoreTable
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.checkpoint import ensure_trained
from tasks.pretrain.runs import keep_trials
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection, TrainSection
from tests.models.vlp.made_up import tiny_bert
from tests.tasks.pretrain.conftest import publish, toy_samples

OBJECTIVE = "tests.models.vlp.objectives.test_objectives:PullTogether"


class Brightness:
    """A toy: how bright an image is, times the model's temperature; the metric is its mean."""

    needs: frozenset[str] = frozenset()
    trains = False
    asked: int = 0

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        del test
        return {"rule": "mean grey"}

    def predict(self, model: Any, data: EvaluationData) -> Predictions:
        test = data.test
        Brightness.asked += 1
        grey = np.concatenate([block.mean(axis=(1, 2)) for block in test.blocks(32)]) ** self.power
        scores = (grey * float(model.module.logit_scale.detach().exp()))[:, None].astype(np.float32)
        return Predictions(test.ids(), ("brightness",), scores, np.full(scores.shape, np.nan))

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        scores = [_mean(item) for item in predictions]
        return ScoreTable(
            metric="brightness", bootstrap=section.bootstrap, confidence=section.confidence, seed=0, scores=scores,
            trials=scores, differences=[], protocol="mean grey",
        )  # fmt: skip


def _mean(item: TrialPredictions) -> Scores:
    mean, films = float(item.predictions.scores.mean()), len(item.predictions.films)
    return Scores(arm=item.arm, seeds=(item.seed,), films=films, macro=mean, low=mean, high=mean, per_label={})


TOY = KindSpec(kind=f"{__name__}:Brightness", options={"power": 2.0})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ObjectStore, Draw]:
    store = LocalStore(tmp_path_factory.mktemp("store"))
    return store, publish(store, "toy", toy_samples("toy", 24, seed=3))


def test_a_toy_objective_and_a_toy_task_go_from_recipe_to_scores(made: tuple[ObjectStore, Draw]) -> None:
    store, draw = made
    section = TrainSection(samples_seen=32, batch=16, threads=1, objective=KindSpec(kind=OBJECTIVE))
    arm = Arm(name="ours", mix=(draw,), samples_seen=32)
    trial = Trial(arm=arm, objective=section.objective, seed=0)
    held, trained = ensure_trained(store, trial, section)
    assert trained is not None
    assert trained.steps == 2
    keep_trials(store, "toy", [(trial, held)])
    test = LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))
    evaluate = EvaluateSection(tasks=(TOY, KindSpec(kind="zero_shot")), bootstrap=20, uncertain="ignore")
    with pytest.raises(ValueError, match="no 'left pleural effusion'"):
        evaluate_run(store, "toy", EvaluationData(test), evaluate)
    found = evaluate_run(store, "toy", EvaluationData(test), evaluate.model_copy(update={"tasks": (TOY,)}))
    assert found.tables[0].metric == "brightness"
    assert found.tables[0].of("ours").macro > 0
    assert Brightness.asked == 1, "kept from the first evaluation, which the other task ended"


def test_a_checkpoint_with_a_text_tower_is_evaluated_while_its_folder_is_there(
    made: tuple[ObjectStore, Draw], tmp_path: Path
) -> None:
    store, draw = made
    tiny_bert(tmp_path / "bert")
    tower = TextTower(path=str(tmp_path / "bert"), context=12)
    section = TrainSection(samples_seen=32, batch=16, threads=1, text_tower=tower)
    trial = Trial(arm=Arm(name="bert", mix=(draw,), samples_seen=32), objective=KindSpec(kind="clip"), seed=0)
    held, _ = ensure_trained(store, trial, section)
    keep_trials(store, "bert", [(trial, held)])
    test = LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))
    found = evaluate_run(store, "bert", EvaluationData(test), EvaluateSection(tasks=(TOY,), bootstrap=20))
    assert found.tables[0].of("bert").macro > 0
    (tmp_path / "bert").rename(tmp_path / "moved")
    other = KindSpec(kind=TOY.kind, options={"power": 3.0})
    with pytest.raises(ModelNotFound, match=r"the folder .*bert is missing"):
        evaluate_run(store, "bert", EvaluationData(test), EvaluateSection(tasks=(other,), bootstrap=20))


def test_a_test_set_without_what_a_task_needs_is_refused_before_any_model_is_asked(
    made: tuple[ObjectStore, Draw],
) -> None:
    store, draw = made
    test = LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))
    test.need({"labels"}, "toy")
    with pytest.raises(CannotScore, match="dataset toy/v1 has no boxes and no masks, which task toy needs"):
        test.need({"masks", "labels", "boxes"}, "toy")
    test.need({"masks|labels"}, "toy")
    with pytest.raises(CannotScore, match="has no boxes or masks, which task toy needs"):
        test.need({"boxes|masks", "labels"}, "toy")


def test_a_task_is_built_from_its_kind_with_its_options() -> None:
    task = build_task(TOY)
    assert isinstance(task, EvaluationTask)
    assert isinstance(task, Brightness)
    assert task.power == 2.0
    assert isinstance(build_task(KindSpec(kind="zero_shot")), EvaluationTask)
    assert "has no option 'x'" in task_problems(KindSpec(kind="zero_shot", options={"x": 1}))["options.x"]
    assert "did you mean 'zero_shot'?; known: " in task_problems(KindSpec(kind="zero_shoot"))["kind"]


def test_what_changes_predictions_changes_the_hash(made: tuple[ObjectStore, Draw], monkeypatch: Any) -> None:
    store, draw = made
    test = LabelledSet(Version.open(store, DatasetRef(draw.dataset, draw.version)))
    known = task_hash(TOY, build_task(TOY), EvaluationData(test))
    assert len(known) == 16
    other = KindSpec(kind=TOY.kind, options={"power": 1.0})
    assert task_hash(other, build_task(other), EvaluationData(test)) != known
    again = LabelledSet(
        replace(test.version, manifest=test.version.manifest.model_copy(update={"fingerprint": "another"}))
    )
    assert task_hash(TOY, build_task(TOY), EvaluationData(again)) != known
    monkeypatch.setattr(Brightness, "identity", lambda *_: {"rule": "median grey"})
    assert task_hash(TOY, build_task(TOY), EvaluationData(test)) != known
