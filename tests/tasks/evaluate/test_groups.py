"""Macro scores by head, body and tail of the training counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import Scores, ScoreTable
from tasks.evaluate.training_counts import TrainingCounts
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate.made import trial

NAMES = ("a", "b", "c", "d", "e")
SECTION = EvaluateSection(bootstrap=50)


def scored(*counts: TrainingCounts | None, labels: int = 5) -> ScoreTable:
    """One arm with a seed for each of `counts`, better at a label the later it stands in `NAMES`."""
    rng = np.random.default_rng(0)
    truth = (rng.random((300, labels)) < 0.4).astype(float)
    items = [
        trial("real", rng.normal(size=truth.shape) + truth * np.arange(labels), truth, NAMES[:labels], seed)
        for seed in range(len(counts))
    ]
    return score_trials(
        [replace(item, trained_on=count) for item, count in zip(items, counts, strict=True)], SECTION, protocol="test"
    )


def macro_of(scores: Scores, *names: str) -> float:
    return float(np.mean([scores.per_label[name].value for name in names]))


def test_labels_are_cut_into_thirds_by_training_count() -> None:
    scores = scored(TrainingCounts({"e": 90, "a": 50, "c": 20, "d": 3})).of("real")
    assert {name: group.positives for name, group in scores.groups.items()} == {
        "head": {"e": 90, "a": 50}, "body": {"c": 20, "d": 3}, "tail": {"b": 0},
    }  # fmt: skip
    for group in scores.groups.values():
        assert group.value == pytest.approx(macro_of(scores, *group.positives))
        assert group.low <= group.value <= group.high
    assert scores.ungrouped == ""


def test_over_seeds_counts_and_scores_are_means() -> None:
    table = scored(TrainingCounts({"a": 10, "b": 8, "c": 1}), TrainingCounts({"a": 2, "c": 5}))
    mean = table.of("real")
    assert mean.groups["head"].positives == {"a": 6, "b": 4}
    assert mean.groups["head"].value == pytest.approx(macro_of(mean, "a", "b"))
    assert table.of("real", 1).groups["head"].positives == {"c": 5, "a": 2}


@pytest.mark.parametrize(
    ("counts", "labels", "told"),
    [
        (TrainingCounts({"a": 1}), 2, "2 labels are too few for 3 groups"),
        (TrainingCounts({}, "nothing was trained"), 5, "nothing was trained"),
        (None, 5, "nobody counted its training pairs"),
    ],
)
def test_where_there_are_no_groups_the_reason_is_kept(counts: TrainingCounts | None, labels: int, told: str) -> None:
    scores = scored(counts, labels=labels).of("real")
    assert (scores.groups, scores.ungrouped) == ({}, told)


def test_a_table_with_groups_survives_json() -> None:
    table = scored(TrainingCounts({"a": 1}))
    assert ScoreTable.model_validate_json(table.model_dump_json()) == table
