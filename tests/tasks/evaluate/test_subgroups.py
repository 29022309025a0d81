"""Groups of films: rates by hand, intervals by patient, and what is said of groups that cannot be scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tasks.evaluate.film_facts import FilmFacts
from tasks.evaluate.metrics.bootstrap import draw_patient_counts
from tasks.evaluate.protocol import TrialPredictions
from tasks.evaluate.score import score_trials
from tasks.evaluate.scores import Subgroups
from tasks.evaluate.subgroup_view import subgroup_notes, subgroup_rows, subgroups_markdown
from tasks.evaluate.subgroups import LEAST_FILMS, attributes, score_subgroups
from tasks.recipe.training import EvaluateSection
from tests.tasks.evaluate import made

NAMES = ("edema", "mass")
SECTION = EvaluateSection(bootstrap=200)
FILMS = 240


def trial(seed: int = 0, harm: float = 0.0, patients: bool = False, arm: str = "real") -> TrialPredictions:
    """Films of F and M in turn; the scores of findings of F are lowered by `harm`. Validation films have no harm."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((2 * FILMS, 2)) < 0.4).astype(float)
    scores = truth + rng.normal(size=truth.shape) * 0.4
    scores[:FILMS:2] -= harm * truth[:FILMS:2]
    known = [f"p{at // 2}" for at in range(FILMS)] if patients else None
    test = made.trial(arm, scores[:FILMS], truth[:FILMS], NAMES, seed, known)
    held = made.trial(arm, scores[FILMS:], truth[FILMS:], NAMES, seed)
    return replace(test, validation=held.predictions)


SEX = tuple("FM" * (FILMS // 2))


def of_sex(*items: TrialPredictions, groups: Any = SEX, section: EvaluateSection = SECTION) -> Subgroups:
    (found,) = score_subgroups(items, {"sex": groups}, section)
    return found


def test_the_rates_of_a_group_are_those_counted_by_hand() -> None:
    item = trial(harm=0.8)
    women = of_sex(item).groups[0]
    assert item.validation is not None
    thresholds = []
    for at in range(2):
        levels = np.unique(item.validation.scores[:, at])
        truth = item.validation.truth[:, at]
        f1 = [
            2 * (truth * (item.validation.scores[:, at] >= level)).sum()
            / (truth.sum() + (item.validation.scores[:, at] >= level).sum())
            for level in levels
        ]  # fmt: skip
        thresholds.append(levels[len(f1) - 1 - int(np.argmax(f1[::-1]))])
    found = item.predictions
    below = found.scores < np.array(thresholds)
    shown = found.truth == 1

    def missed(rows: slice) -> float:
        ill = shown[rows].any(axis=1)
        return float((ill & below[rows].all(axis=1)).sum() / ill.sum())

    def missed_of(at: int, rows: slice) -> float:
        return float((shown[rows, at] & below[rows, at]).sum() / shown[rows, at].sum())

    f, m = slice(0, None, 2), slice(1, None, 2)
    assert (women.name, women.films) == ("F", FILMS // 2)
    assert women.missed is not None
    assert women.gap is not None
    assert women.missed.value == pytest.approx(missed(f))
    assert women.gap.value == pytest.approx(missed(f) - missed(m))
    for at, name in enumerate(NAMES):
        assert women.gaps[name].value == pytest.approx(missed_of(at, f) - missed_of(at, m))
    assert women.auroc is not None
    expected = [float(roc_auc_score(found.truth[f, at], found.scores[f, at])) for at in range(2)]
    assert women.auroc.value == pytest.approx(np.mean(expected))


def test_a_harmed_group_has_a_gap_clear_of_zero_and_the_other_the_opposite() -> None:
    women, men = of_sex(trial(harm=0.8)).groups
    assert women.gap is not None
    assert men.gap is not None
    assert women.gap.low > 0
    assert women.gap.value == pytest.approx(-men.gap.value)
    assert (women.gap.low, women.gap.high) == pytest.approx((-men.gap.high, -men.gap.low))


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_groups_that_are_alike_have_gaps_about_zero(seed: int) -> None:
    gap = of_sex(trial(seed), section=EvaluateSection(bootstrap=100)).groups[0].gap
    assert gap is not None
    assert gap.low - 0.1 < 0 < gap.high + 0.1


def test_intervals_are_over_patients_where_they_are_known() -> None:
    item = trial(patients=True)
    women = of_sex(item).groups[0]
    assert women.patients == FILMS // 2
    assert women.auroc is not None
    assert women.auroc.low_film is not None
    counts = draw_patient_counts([f"patient p{at // 2}" for at in range(FILMS)], SECTION.bootstrap, 0)[:, ::2]
    found = item.predictions
    truth, scores = found.truth[::2], found.scores[::2]
    macros = [
        sum(float(roc_auc_score(truth[:, at], scores[:, at], sample_weight=weights)) for at in range(2)) / 2
        for weights in counts
    ]
    assert women.auroc.low == pytest.approx(np.quantile(macros, 0.025))
    assert women.auroc.high == pytest.approx(np.quantile(macros, 0.975))


def test_over_seeds_rates_are_means() -> None:
    one, other = trial(3), trial(3, harm=0.5)
    alone = [of_sex(item).groups[0].missed for item in (one, other)]
    both = of_sex(one, replace(other, seed=4)).groups[0].missed
    assert None not in (both, *alone)
    assert both.value == pytest.approx(np.mean([item.value for item in alone if item]))  # pyright: ignore[reportOptionalMemberAccess]


def test_small_groups_and_unknown_films_are_named_and_left_out() -> None:
    few = LEAST_FILMS - 1
    groups = ("X",) * few + (None,) * 7 + SEX[few + 7 :]
    found = of_sex(trial(), groups=groups)
    assert found.too_few == {"X": few}
    assert found.unknown == 7
    assert [group.name for group in found.groups] == ["F", "M"]


def test_one_group_has_no_gap_and_says_why() -> None:
    found = of_sex(trial(), groups=("F",) * FILMS)
    assert found.groups == []
    assert found.why == f"fewer than two groups of {LEAST_FILMS} films or more"


def test_without_validation_films_there_are_no_rates_but_the_auroc() -> None:
    found = of_sex(replace(trial(), validation=None))
    assert found.why == "no validation films gave thresholds"
    assert all(group.missed is None and group.gap is None and not group.gaps for group in found.groups)
    assert all(group.auroc is not None for group in found.groups)


def test_a_finding_that_few_films_show_has_no_gap() -> None:
    item = trial()
    truth = item.predictions.truth.copy()
    truth[:, 1] = 0
    truth[:9, 1] = 1
    found = of_sex(replace(item, predictions=replace(item.predictions, truth=truth)))
    assert list(found.groups[0].gaps) == ["edema"]


def test_attributes_are_those_that_some_film_has() -> None:
    films = [FilmFacts(sex="F", age=19.5), FilmFacts(age=20), FilmFacts(), FilmFacts(sex="M", age=80)]
    assert attributes(films) == {"sex": ("F", None, None, "M"), "age": ("<20", "20-40", None, ">=80")}
    assert attributes([FilmFacts()]) == {}


def test_ages_come_in_their_order() -> None:
    bands = (">=80", "20-40", "<20") * (FILMS // 3)
    (found,) = score_subgroups([trial()], {"age": bands}, SECTION)
    assert [group.name for group in found.groups] == ["<20", "20-40", ">=80"]


def test_rows_notes_and_markdown_say_the_same() -> None:
    item = trial(harm=0.8)
    table = score_trials([item], SECTION, protocol="test", probability="")
    groups = score_subgroups(
        [item], {"sex": SEX, "view": ("PA",) * FILMS, "site": ("a|<b>",) * 120 + ("c",) * 120}, SECTION
    )
    table = table.model_copy(update={"subgroups": groups, "task": "zero_shot", "dataset": "d@v1"})
    rows = subgroup_rows(table)
    assert [row[:4] for row in rows[:2]] == [("real", "sex", "F", "120"), ("real", "sex", "M", "120")]
    assert rows[0][6].startswith("+")
    notes = list(subgroup_notes(table))
    assert any(line.startswith("missed: films with a finding") for line in notes)
    assert any(
        line.startswith("real, sex: missed more often than in the other groups: edema in F +") for line in notes
    )
    assert f"view: fewer than two groups of {LEAST_FILMS} films or more" in notes
    text = subgroups_markdown([table])
    assert "a\\|\\<b\\>" in text
    assert all(row[4] in text for row in rows)
    assert subgroups_markdown([table.model_copy(update={"subgroups": []})]) == ""
