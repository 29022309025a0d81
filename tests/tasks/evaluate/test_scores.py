"""Scores of arms: intervals, pairing, and findings that cannot be scored."""

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.evaluate.compare import comparisons
from tasks.evaluate.figures import auroc_figure, loss_figure
from tasks.evaluate.score import score_arms
from tasks.evaluate.scores import ScoreTable
from tasks.recipe.schema import EvaluateSection

NAMES = ("pleural effusion", "lung nodule", "scoliosis")
SECTION = EvaluateSection(bootstrap=200)


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 3)) < (0.3, 0.2, 0.0)).astype(int)
    noise = rng.normal(size=(200, 3))
    predictions = {
        "real": noise + labels * 0.5,
        "synthetic": noise + labels * 1.5,
        "shuffled_synthetic": rng.normal(size=(200, 3)),
        "random": rng.normal(size=(200, 3)),
    }
    return score_arms(predictions, labels, NAMES, SECTION, dataset="b")


def test_macro_is_the_mean_of_the_findings_and_lies_in_its_interval(table):
    scores = table.of("synthetic")
    assert scores.macro == pytest.approx(np.mean([item.auroc for item in scores.per_finding.values()]))
    assert scores.low < scores.macro < scores.high


def test_a_finding_that_no_film_shows_is_left_out_by_name(table):
    assert table.of("real").left_out == ["scoliosis"]
    assert set(table.of("real").per_finding) == {"pleural effusion", "lung nodule"}


def test_positives_are_counted(table):
    assert table.of("real").per_finding["pleural effusion"].positives > 30


def test_differences_are_paired(table):
    gain = next(d for d in table.differences if (d.arm, d.baseline) == ("synthetic", "real"))
    apart = (table.of("synthetic").high - table.of("synthetic").low) + (table.of("real").high - table.of("real").low)
    assert gain.low > 0
    assert gain.high - gain.low < apart / 2, "arms that share their noise must have a narrow difference"


def test_each_arm_meets_real_its_own_control_and_random():
    arms = ("real", "synthetic", "mixed", "shuffled_synthetic", "shuffled_mixed", "random")
    assert comparisons(arms) == [
        ("real", "random"),
        ("synthetic", "real"), ("synthetic", "shuffled_synthetic"), ("synthetic", "random"),
        ("mixed", "real"), ("mixed", "shuffled_mixed"), ("mixed", "random"),
    ]  # fmt: skip


def test_a_table_survives_json_and_is_frozen(table):
    assert ScoreTable.model_validate_json(table.model_dump_json()) == table
    with pytest.raises(ValidationError):
        table.scores[0].macro = 1.0


def test_an_arm_that_was_not_scored_is_named(table):
    with pytest.raises(KeyError, match="mixed"):
        table.of("mixed")


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="real"):
        score_arms({"real": np.zeros((4, 2))}, np.zeros((4, 3), int), NAMES, SECTION, dataset="b")


def test_labels_without_any_usable_finding_are_refused():
    with pytest.raises(ValueError, match="no finding is present"):
        score_arms({"real": np.zeros((4, 3))}, np.zeros((4, 3), int), NAMES, SECTION, dataset="b")


def test_very_few_films_do_not_break_the_bootstrap():
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    scores = score_arms({"real": labels.astype(float)}, labels, NAMES, SECTION, dataset="b").of("real")
    assert scores.macro == 1.0
    assert scores.low == 1.0


def test_figures_are_png(table):
    assert auroc_figure(table).startswith(b"\x89PNG")
    assert loss_figure({"real": [3.0, 2.5, 2.0], "random": []}, batch=32).startswith(b"\x89PNG")
    assert loss_figure({}, batch=32).startswith(b"\x89PNG")
