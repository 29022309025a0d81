"""Scores of arms: intervals, pairing, seeds, and findings that cannot be scored."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import average_precision_score

from tasks.evaluate.figures import score_figure
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.protocol import TrialPredictions
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import Difference, ScoreTable
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate import made

NAMES = ("pleural effusion", "lung nodule", "scoliosis")
SECTION = EvaluateSection(bootstrap=200)


def trial(arm: str, scores: np.ndarray, truth: np.ndarray, seed: int = 0) -> TrialPredictions:
    return made.trial(arm, scores, truth, NAMES[: scores.shape[1]], seed)


def four_arms(seeds: tuple[int, ...] = (0,)) -> list[TrialPredictions]:
    """Predictions of four arms that share their noise where they share a seed."""
    dice = np.random.default_rng(0)
    labels = (dice.random((200, 3)) < (0.3, 0.2, 0.0)).astype(int)
    items = []
    for seed in seeds:
        noise = dice.normal(size=(200, 3))
        items += [
            trial("real", noise + labels * 0.5, labels, seed),
            trial("synthetic", noise + labels * 1.5, labels, seed),
            trial("shuffled_synthetic", dice.normal(size=(200, 3)), labels, seed),
            trial("random", dice.normal(size=(200, 3)), labels, seed),
        ]
    return items


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    return score_trials(four_arms(), SECTION, protocol="test")


@pytest.fixture(scope="module")
def by_seed() -> ScoreTable:
    return score_trials(four_arms((0, 1, 2)), SECTION, protocol="test")


def difference(table: ScoreTable, arm: str, baseline: str) -> Difference:
    return next(item for item in table.differences if (item.arm, item.baseline) == (arm, baseline))


def test_macro_is_the_mean_of_the_findings_and_lies_in_its_interval(table: ScoreTable) -> None:
    scores = table.of("synthetic")
    assert scores.macro == pytest.approx(np.mean([item.value for item in scores.per_label.values()]))
    assert scores.low < scores.macro < scores.high


def test_a_finding_that_no_film_shows_is_left_out_by_name(table: ScoreTable) -> None:
    assert table.of("real").left_out == ["scoliosis"]
    assert set(table.of("real").per_label) == {"pleural effusion", "lung nodule"}


def test_positives_are_counted(table: ScoreTable) -> None:
    assert table.of("real").per_label["pleural effusion"].positives > 30


def test_differences_are_paired(table: ScoreTable) -> None:
    gain = difference(table, "synthetic", "real")
    apart = (table.of("synthetic").high - table.of("synthetic").low) + (table.of("real").high - table.of("real").low)
    assert gain.low > 0
    assert gain.high - gain.low < apart / 2, "arms that share their noise must have a narrow difference"


def test_the_listed_pairs_are_compared_and_no_others(table: ScoreTable) -> None:
    assert [(item.arm, item.baseline) for item in table.differences] == [
        ("real", "random"), ("synthetic", "real"), ("synthetic", "shuffled_synthetic"), ("synthetic", "random"),
    ]  # fmt: skip
    section = SECTION.model_copy(update={"comparisons": (("random", "synthetic"), ("mixed", "real"))})
    listed = score_trials(four_arms(), section, protocol="test").differences
    assert [(item.arm, item.baseline) for item in listed] == [("random", "synthetic")]
    assert listed[0].difference == -difference(table, "synthetic", "random").difference


def test_with_one_seed_the_arm_is_its_trial(table: ScoreTable) -> None:
    assert table.trials == table.scores
    assert table.of("real").sd is None
    assert difference(table, "synthetic", "real").by_seed == {0: difference(table, "synthetic", "real").difference}


def test_over_several_seeds_an_arm_is_their_mean_and_each_is_shown(by_seed: ScoreTable) -> None:
    each = [by_seed.of("synthetic", seed).macro for seed in (0, 1, 2)]
    mean = by_seed.of("synthetic")
    assert mean.macro == pytest.approx(np.mean(each))
    assert mean.sd == pytest.approx(np.std(each, ddof=1))
    assert mean.seeds == (0, 1, 2)
    assert len(by_seed.trials) == 12
    gain = difference(by_seed, "synthetic", "real")
    told = {seed: by_seed.of("synthetic", seed).macro - by_seed.of("real", seed).macro for seed in (0, 1, 2)}
    assert gain.by_seed == pytest.approx(told)
    assert gain.difference == pytest.approx(np.mean(list(told.values())))
    with pytest.raises(KeyError, match="with seed 9"):
        by_seed.of("real", 9)


def test_the_average_precision_stands_beside_the_auroc(table: ScoreTable) -> None:
    scores = table.of("synthetic")
    item = four_arms()[1]
    for at, name in enumerate(NAMES[:2]):
        auprc = scores.per_label[name].auprc
        assert auprc is not None
        truth, values = item.predictions.truth[:, at], item.predictions.scores[:, at]
        assert auprc.value == pytest.approx(average_precision_score(truth, values), abs=1e-12)
        assert auprc.low < auprc.value < auprc.high
    assert scores.auprc is not None
    each = [one.auprc.value for one in scores.per_label.values() if one.auprc]
    assert scores.auprc.value == pytest.approx(np.mean(each))


def by_patient(patients: tuple[str | None, ...] | None) -> ScoreTable:
    """Two arms on four films of each of 50 patients; a patient's films have one label and almost one score."""
    rng = np.random.default_rng(1)
    labels = np.repeat(rng.random(50) < 0.4, 4).astype(float)[:, None]
    noise = np.repeat(rng.normal(size=(50, 2)), 4, axis=0) + 0.1 * rng.normal(size=(200, 2))
    items = [
        made.trial(arm, noise[:, [at]] + (1 - at) * labels, labels, NAMES[:1], patients=patients)
        for at, arm in enumerate(("real", "random"))
    ]
    return score_trials(items, SECTION, protocol="test")


PATIENTS = tuple(f"p{at // 4}" for at in range(200))


def test_patients_are_resampled_where_they_are_known_and_films_beside_them() -> None:
    told, untold = by_patient(PATIENTS), by_patient(None)
    assert (told.unit, told.patients, untold.unit, untold.patients) == ("patient", 50, "film", None)
    for one, other in (
        (told.of("real"), untold.of("real")),
        (told.of("real").per_label[NAMES[0]], untold.of("real").per_label[NAMES[0]]),
        (told.of("real").auprc, untold.of("real").auprc),
        (difference(told, "real", "random"), difference(untold, "real", "random")),
    ):
        assert one is not None
        assert other is not None
        assert (one.low_film, one.high_film) == (other.low, other.high)
        assert (other.low_film, other.high_film) == (None, None)
        assert one.high - one.low > 1.4 * (other.high - other.low)
    assert told.of("real").macro == untold.of("real").macro


def test_a_film_of_an_unknown_patient_is_drawn_on_its_own() -> None:
    half = tuple(patient if at < 100 else None for at, patient in enumerate(PATIENTS))
    table = by_patient(half)
    assert (table.unit, table.patients) == ("patient", 25)
    alone = tuple(f"film-{at}" if patient is None else patient for at, patient in enumerate(half))
    assert table.scores == by_patient(alone).scores


def test_predictions_without_patients_take_those_of_the_others() -> None:
    labels = np.tile(np.eye(2), (4, 1))
    items = [
        made.trial("real", labels, labels, NAMES[:2]),
        made.trial("mixed", labels, labels, NAMES[:2], patients=PATIENTS[:8]),
    ]
    assert score_trials(items, SECTION, protocol="test").patients == 2
    items.append(made.trial("random", labels, labels, NAMES[:2], patients=PATIENTS[1:9]))
    with pytest.raises(ValueError, match="arm 'random', seed 0: its predictions are of other films or labels"):
        score_trials(items, SECTION, protocol="test")


def test_a_table_of_version_0_2_is_still_read(table: ScoreTable) -> None:
    plain = table.model_dump(mode="json", exclude={"unit", "patients"})
    for scores in (*plain["scores"], *plain["trials"]):
        for record in (scores, *scores["per_label"].values()):
            for name in ("auprc", "low_film", "high_film"):
                del record[name]
    assert ScoreTable.model_validate(plain).of("real").macro == table.of("real").macro
    assert ScoreTable.model_validate(plain).unit == "film"


def test_arms_are_compared_over_the_seeds_that_both_have() -> None:
    items = [item for item in four_arms((0, 1)) if (item.arm, item.seed) != ("real", 1)]
    table = score_trials(items, SECTION, protocol="test")
    assert list(difference(table, "synthetic", "real").by_seed) == [0]
    apart = [item for item in four_arms((0, 1)) if (item.arm == "real") == (item.seed == 1)]
    with pytest.raises(CannotScore, match="no training seed in common"):
        score_trials(apart, SECTION, protocol="test")


def test_a_table_survives_json_and_is_frozen(by_seed: ScoreTable) -> None:
    assert ScoreTable.model_validate_json(by_seed.model_dump_json()) == by_seed
    with pytest.raises(ValidationError):
        by_seed.scores[0].macro = 1.0


def test_an_arm_that_was_not_scored_is_named(table: ScoreTable) -> None:
    with pytest.raises(KeyError, match="mixed"):
        table.of("mixed")


def test_predictions_of_other_films_or_shapes_are_refused() -> None:
    one, other = trial("real", np.eye(3), np.eye(3)), trial("mixed", np.eye(3), 1 - np.eye(3))
    with pytest.raises(ValueError, match="arm 'mixed', seed 0: its predictions are of other films"):
        score_trials([one, other], SECTION, protocol="test")
    with pytest.raises(ValueError, match=r"predictions of \(4, 2\) are"):
        trial("real", np.zeros((4, 2)), np.zeros((4, 3)))


def test_scores_that_are_no_numbers_name_the_trial() -> None:
    with pytest.raises(CannotScore, match="arm 'real', seed 0: 1 of 9 scores are not finite"):
        score_trials([trial("real", np.where(np.eye(3) * [1, 0, 0], np.nan, 0), np.eye(3))], SECTION, protocol="test")


def test_labels_without_any_usable_finding_are_refused() -> None:
    with pytest.raises(CannotScore, match="no finding is present"):
        score_trials([trial("real", np.zeros((4, 3)), np.zeros((4, 3)))], SECTION, protocol="test")


def test_very_few_films_do_not_break_the_bootstrap() -> None:
    scores = score_trials([trial("real", np.eye(3), np.eye(3))], SECTION, protocol="test").of("real")
    assert scores.macro == 1.0
    assert scores.low == 1.0


def test_figures_are_png(table: ScoreTable, by_seed: ScoreTable) -> None:
    assert score_figure(table).startswith(b"\x89PNG")
    assert score_figure(by_seed).startswith(b"\x89PNG")
