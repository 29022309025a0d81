"""Uncertain labels: refused with their names, or mapped in one place and counted; never silently positive."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.evaluate.labels import CannotScore, Uncertain, settle
from tasks.evaluate.metrics.ranking import auroc
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import ScoreTable
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate.made import trial

NAMES = ("edema", "nodule", "scoliosis")
TABLE = [[1, 0, 0], [0, 1, 1], [None, 0, 0], [float("nan"), -1, 1], [True, 1.0, np.int64(0)]]


@pytest.mark.parametrize(
    ("uncertain", "edema", "known"),
    [("ignore", [1, 0, 0, 0, 1], 3), ("positive", [1, 0, 1, 1, 1], 5), ("negative", [1, 0, 0, 0, 1], 5)],
)
def test_a_test_set_says_how_uncertain_labels_count(uncertain: Uncertain, edema: list[int], known: int) -> None:
    labels = settle(TABLE, NAMES, uncertain)
    assert labels.values[:, 0].tolist() == edema
    assert int(labels.known[:, 0].sum()) == known
    assert labels.uncertain == {"edema": 2, "nodule": 1}
    assert labels.known[:, 2].all()


def test_by_default_they_are_refused_with_name_count_and_example() -> None:
    with pytest.raises(CannotScore) as raised:
        settle(TABLE, NAMES, films=["a", "b", "c", "d", "e"])
    assert str(raised.value) == (
        "2 of 5 labels of 'edema' (the first of film c: None), and of 1 more findings, are uncertain: set "
        "evaluate.uncertain to ignore, positive or negative"
    )


@pytest.mark.parametrize("value", [2, -2, 0.5, float("inf"), "1", [1]])
@pytest.mark.parametrize("uncertain", ["refuse", "ignore"])
def test_what_is_no_label_at_all_is_always_refused(value: object, uncertain: Uncertain) -> None:
    with pytest.raises(
        CannotScore, match=r"1 of 2 labels of 'nodule' \(the first of film number 1: .*\): a label is 1"
    ):
        settle([[1, 0, 0], [1, value, 0]], NAMES, uncertain)


def test_certain_labels_come_back_as_they_are() -> None:
    labels = settle(np.eye(3, dtype=int), NAMES)
    assert (labels.values == np.eye(3)).all()
    assert labels.uncertain == {}


@pytest.fixture
def doubted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth of one finding in 400 films, scores that tell something, and labels of which a fifth are uncertain."""
    rng = np.random.default_rng(3)
    truth = (rng.random(400) < 0.4).astype(float)
    labels = np.where(rng.random(400) < 0.2, -1, truth)
    return truth, rng.normal(size=400) + 1.4 * truth, labels


def test_ignored_labels_leave_the_figure_of_the_certain_films(doubted) -> None:
    truth, scores, labels = doubted
    certain = labels >= 0
    section = EvaluateSection(bootstrap=50, uncertain="ignore")
    table = score_trials([trial("real", scores[:, None], labels[:, None], NAMES[:1])], section, protocol="test")
    found = table.of("real").per_label["edema"]
    assert found.value == pytest.approx(roc_auc_score(truth[certain], scores[certain]))
    assert (found.positives, found.ignored) == (int(truth[certain].sum()), int((~certain).sum()))
    assert (table.uncertain, table.uncertain_labels) == ("ignore", {"edema": int((~certain).sum())})
    assert ScoreTable.model_validate_json(table.model_dump_json()) == table


@pytest.mark.parametrize("doubt", [-1, np.nan])
def test_no_metric_takes_them_silently(doubted, doubt: float) -> None:
    _, scores, labels = doubted
    labels = np.where(labels < 0, doubt, labels)
    with pytest.raises(CannotScore, match="of 400 labels of 'edema'"):
        score_trials([trial("real", scores[:, None], labels[:, None], NAMES[:1])], EvaluateSection(), protocol="test")
    with pytest.raises(ValueError, match="labels are neither 0 nor 1, the first is"):
        auroc(scores, labels)


def test_a_finding_with_one_class_among_the_certain_is_left_out_by_name() -> None:
    labels = [[1, 1], [0, 1], [1, -1], [0, -1]]
    section = EvaluateSection(bootstrap=50, uncertain="ignore")
    item = trial("real", np.random.default_rng(0).random((4, 2)), labels, NAMES[:2])
    scores = score_trials([item], section, protocol="test")
    assert scores.of("real").left_out == ["nodule"]
    assert np.isfinite(scores.of("real").macro)


def test_scores_that_are_no_numbers_name_arm_finding_and_film() -> None:
    predictions = np.array([[0.1, 0.2], [0.3, np.nan], [0.2, np.inf]])
    item = trial("mixed", predictions, [[1, 0], [0, 1], [1, 1]], NAMES[:2])
    told = r"arm 'mixed', seed 0: 2 of 6 scores are not finite.*'nodule' in film number 1"
    with pytest.raises(CannotScore, match=told):
        score_trials([item], EvaluateSection(), protocol="test")
