"""F1, correlation and calibration of arms: at thresholds of the validation films, and at the oracle's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import f1_score, matthews_corrcoef

from models.compat import torchvision_ready
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.thresholds import DECISIONS, threshold_from
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.protocol import TrialPredictions
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import ScoreTable
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate.made import trial

NAMES = ("a", "b")
SECTION = EvaluateSection(bootstrap=60, comparisons=())


def films(count: int, noise: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and labels that they tell something of; the labels are the same whatever the noise."""
    labels = (np.random.default_rng(count).random((count, 2)) < (0.4, 0.2)).astype(float)
    return np.round(np.random.default_rng(noise).normal(size=labels.shape) + labels, 1), labels


def validated(seed: int = 0) -> TrialPredictions:
    scores, labels = films(80, seed + 50)
    held = Predictions(tuple(f"v{at}" for at in range(80)), NAMES, scores.astype(np.float32), labels)
    return replace(trial("ours", *films(120, seed), NAMES, seed), validation=held)


def scored(*items: TrialPredictions, section: EvaluateSection = SECTION) -> ScoreTable:
    return score_trials(items, section, protocol="test", probability="sigmoid")


def test_f1_and_correlation_are_scikit_learns_at_the_thresholds_that_the_validation_films_gave() -> None:
    item = validated()
    assert item.validation is not None
    ours = scored(item).of("ours")
    for at, name in enumerate(NAMES):
        one, truth, values = ours.per_label[name], item.predictions.truth[:, at], item.predictions.scores[:, at]
        for decision in DECISIONS:
            metric = f1_score if decision == "F1" else matthews_corrcoef
            learnt = threshold_from(item.validation.scores[:, at], item.validation.truth[:, at], decision)
            best = threshold_from(values, truth, decision)
            for measure, threshold in ((decision, learnt), (f"{decision} (oracle)", best)):
                figure = one.beside[measure]
                assert one.thresholds[measure] == threshold
                assert figure.value == pytest.approx(metric(truth, values >= threshold), abs=1e-12)
                assert figure.low <= figure.value <= figure.high
    each = [one.beside["F1"].value for one in ours.per_label.values()]
    assert ours.beside["F1"].value == pytest.approx(np.mean(each))
    assert ours.without_threshold == []


def test_calibration_is_torchmetrics_of_the_sigmoid() -> None:
    torchvision_ready()
    from torchmetrics.functional.classification import binary_calibration_error

    item = validated()
    ours = scored(item).of("ours").per_label["a"].beside["ECE"]
    stated, truth = expit(item.predictions.scores[:, 0]), item.predictions.truth[:, 0]
    theirs = binary_calibration_error(torch.tensor(stated), torch.tensor(truth, dtype=torch.int), n_bins=15)
    assert ours.value == pytest.approx(float(theirs), abs=1e-6)
    assert ours.low < ours.high


def test_scores_that_state_no_probability_have_no_calibration() -> None:
    table = score_trials([validated()], SECTION, protocol="test")
    assert table.probability == ""
    assert "ECE" not in table.of("ours").beside | table.of("ours").per_label["a"].beside


def test_without_validation_films_there_is_the_oracle_alone() -> None:
    ours = scored(replace(validated(), validation=None)).of("ours")
    assert set(ours.beside) == {"F1 (oracle)", "MCC (oracle)", "ECE"}
    assert set(ours.per_label["a"].thresholds) == {"F1 (oracle)", "MCC (oracle)"}
    assert ours.without_threshold == []
    assert ours.beside["F1 (oracle)"] == scored(validated()).of("ours").beside["F1 (oracle)"]


def test_a_label_that_no_validation_film_shows_has_no_threshold_and_is_named() -> None:
    item = validated()
    assert item.validation is not None
    truth = item.validation.truth * (1, 0)
    ours = scored(replace(item, validation=replace(item.validation, truth=truth))).of("ours")
    assert ours.without_threshold == ["b"]
    assert "F1" not in ours.per_label["b"].beside
    assert ours.beside["F1"] == ours.per_label["a"].beside["F1"]


def test_uncertain_validation_labels_have_no_part_in_thresholds_where_the_test_refuses_them() -> None:
    item = validated()
    assert item.validation is not None
    truth = item.validation.truth.copy()
    truth[:20] = -1
    some = Predictions(item.validation.films[20:], NAMES, item.validation.scores[20:], item.validation.truth[20:])
    doubtful = scored(replace(item, validation=replace(item.validation, truth=truth)))
    assert doubtful.scores == scored(replace(item, validation=some)).scores
    taken = SECTION.model_copy(update={"uncertain": "positive"})
    assert scored(replace(item, validation=replace(item.validation, truth=truth)), section=taken) != doubtful


def test_each_seed_has_its_own_thresholds_and_the_arm_the_mean_of_what_they_come_to() -> None:
    table = scored(validated(0), validated(1))
    mean = table.of("ours")
    each = [table.of("ours", seed).per_label["a"] for seed in (0, 1)]
    assert each[0].thresholds["F1"] != each[1].thresholds["F1"]
    assert mean.per_label["a"].thresholds == {}
    assert mean.per_label["a"].beside["F1"].value == pytest.approx(np.mean([one.beside["F1"].value for one in each]))


def test_validation_scores_that_are_no_numbers_name_the_trial() -> None:
    item = validated()
    assert item.validation is not None
    odd = replace(item.validation, scores=np.full_like(item.validation.scores, np.nan))
    with pytest.raises(CannotScore, match="arm 'ours', seed 0, validation: 160 of 160 scores are not finite"):
        scored(replace(item, validation=odd))


def test_a_table_with_decisions_survives_json() -> None:
    table = scored(validated())
    assert ScoreTable.model_validate_json(table.model_dump_json()) == table
