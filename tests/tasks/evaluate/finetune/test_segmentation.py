"""A U-Net on a tower draws what its masks taught it, and is scored from what is kept."""

from __future__ import annotations

import numpy as np
import pytest

from models.vlp.features import NoFeatures
from models.vlp.model import create
from storage.local import LocalStore
from tasks.evaluate.finetune.segmentation import IOU, Segmentation
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.protocol import EvaluationTask, TrialPredictions, build_task, task_problems
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate.finetune.conftest import FINDING, opened
from tests.tasks.pretrain.conftest import toy_samples

SECTION = EvaluateSection(bootstrap=20, comparisons=())
QUICK = Segmentation(steps=20, rates=(3e-3,))


@pytest.fixture(scope="module")
def found(masked: EvaluationData) -> Predictions:
    return QUICK.predict(create(seed=0), masked)


def test_a_finding_is_drawn_where_its_masks_are(masked: EvaluationData, found: Predictions) -> None:
    score = QUICK.score([TrialPredictions("ours", 0, found)], SECTION).of("ours").per_label[FINDING]
    shown = sum(bool(row.masks) for row in masked.test.rows())
    assert score.positives == shown < len(masked.test.rows())
    assert score.value > 0.5
    assert found.labels == (FINDING, FINDING + IOU)
    assert np.isfinite(found.scores).all()
    overlap, union = found.scores.T.astype(np.float64)
    np.testing.assert_allclose(overlap, 2 * union / (1 + union), atol=1e-6)


def test_films_without_the_area_count_one_or_nothing(found: Predictions) -> None:
    empty = found.truth[:, 0] == 0
    assert empty.any()
    assert set(found.scores[empty].ravel().tolist()) <= {0.0, 1.0}


def test_it_is_a_function_of_the_seed_and_leaves_the_model_alone(masked: EvaluationData) -> None:
    model, few = create(seed=0), {"steps": 2, "rates": [1e-3]}
    before = model.to_bytes()
    first, again = (Segmentation(**few).predict(model, masked) for _ in range(2))
    np.testing.assert_array_equal(first.scores, again.scores)
    assert model.to_bytes() == before


def test_random_weights_are_those_of_an_untrained_model(masked: EvaluationData) -> None:
    few = {"steps": 2, "rates": (1e-3,)}
    untrained = Segmentation(**few).predict(create(seed=0), masked)
    anew = Segmentation(initial="random", **few).predict(create(seed=9), masked)
    np.testing.assert_array_equal(untrained.scores, anew.scores)


def test_what_it_lacks_is_named(masked: EvaluationData, local_store: LocalStore) -> None:
    bare = opened(local_store, "bare", toy_samples("bare", 4, seed=3))
    with pytest.raises(CannotScore, match="dataset bare/v1 has no mask of a finding"):
        QUICK.predict(create(seed=0), EvaluationData(bare, masked.validation, masked.training))
    with pytest.raises(CannotScore, match="dataset bare/v1 has no area of the findings of dataset test/v1"):
        QUICK.predict(create(seed=0), EvaluationData(masked.test, masked.validation, bare))
    with pytest.raises(NoFeatures, match="no stages of falling resolution"):
        QUICK.predict(create("ViT-S-32-alt"), masked)


def test_it_is_a_task_with_options() -> None:
    spec = KindSpec(kind="segmentation", options={"share": 0.1, "initial": "random", "rates": [0.1]})
    assert isinstance(build_task(spec), EvaluationTask)
    assert "options.initial" in task_problems(KindSpec(kind="segmentation", options={"initial": "guess"}))
    assert "options.rates" in task_problems(KindSpec(kind="segmentation", options={"rates": []}))
