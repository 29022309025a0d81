"""Fine-tuning learns a finding from labelled films, from those that have a certain label alone."""

from __future__ import annotations

import pytest

from models.vlp.model import create
from storage.local import LocalStore
from storage.records import PairRow
from storage.shards import Sample, sample_of
from tasks.evaluate.finetune.classification import Finetune
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_hash
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate.finetune.conftest import FINDING, opened
from tests.tasks.pretrain.conftest import toy_samples

SECTION = EvaluateSection(bootstrap=20, comparisons=())
QUICK = Finetune(steps=12, rates=(5e-3,))


def labelled(sample: Sample, label: int) -> Sample:
    return sample_of(PairRow.model_validate({**sample.json, "labels": {FINDING: label}}), sample.png)


def test_a_finding_is_told_apart_and_the_model_stays_as_it_is(masked: EvaluationData) -> None:
    model = create(seed=0)
    before = model.to_bytes()
    assert masked.validation is not None
    found, held = QUICK.predict_each(model, masked, [masked.test, masked.validation])
    ours = QUICK.score([TrialPredictions("ours", 0, found, validation=held)], SECTION).of("ours")
    assert ours.macro > 0.9
    assert ours.beside["F1"].value > 0.7
    assert held.films == masked.validation.ids()
    assert found.labels == (FINDING,)
    assert model.to_bytes() == before


def test_films_on_which_no_rate_can_be_chosen_are_named(masked: EvaluationData, local_store: LocalStore) -> None:
    constant = opened(local_store, "constant", [labelled(one, 1) for one in toy_samples("c", 8, seed=6)])
    with pytest.raises(CannotScore, match="dataset constant/v1 shows no finding on some films and not on others"):
        QUICK.predict(create(seed=0), EvaluationData(masked.test, constant, masked.training))


def test_it_is_a_task_whose_hash_follows_its_steps(masked: EvaluationData) -> None:
    specs = [KindSpec(kind="finetune", options={"share": 0.1, **more}) for more in ({}, {"steps": 10})]
    tasks = [build_task(spec) for spec in specs]
    assert all(isinstance(task, EvaluationTask) for task in tasks)
    assert len({task_hash(spec, task, masked) for spec, task in zip(specs, tasks, strict=True)}) == 2
