"""Every rule decides on what the ones before it left, and says why."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.curate.explain import explain, spread
from tasks.curate.near import Edges, Near, alike_reports
from tasks.curate.select import Choice, Selection, curate
from tasks.recipe.curation import Balance, Rules, Top, Utility
from tests.tasks.curate.tables import table_of

LAX = Rules(same_report=1000)


def edges(*lines: tuple[int, int, float]) -> Edges:
    later, earlier, alike = (np.array(column) for column in zip(*lines, strict=True))
    return Edges(later, earlier, alike)


def shows(rows, selection: Selection) -> Counter[str]:
    kept = set(selection.kept)
    return Counter(label for row in rows if row.sample_id in kept for label, on in row.labels.items() if on)


def test_near_films_fall_to_the_earlier_one_and_a_dropped_film_drops_nobody(row):
    rows = [row(0), row(1), row(2), row(3, agreement=0.1), row(4)]
    near = Near(film=edges((1, 0, 0.95), (2, 1, 0.95), (4, 3, 0.99)))
    selection = curate(table_of(rows), Rules(near_film=0.9), near)
    assert selection.kept == ["s0", "s2", "s4"]  # s1 is gone, so s2 stays; s3 failed its gate, so s4 stays
    assert selection.choices[1].reason == "near film: cosine 0.950 with s0"


@pytest.mark.parametrize(("bits", "kept"), [(2, ["s0", "s1"]), (3, ["s0"])])
def test_hash_distance_is_counted_in_bits(row, bits, kept):
    near = Near(image=edges((1, 0, -3.0)))
    assert curate(table_of([row(0), row(1)]), Rules(near_image=bits), near).kept == kept


def test_near_reports_count_repeats_of_a_dropped_wording_too(row):
    text = " ".join(f"word{n}" for n in range(40))
    rows = [row(0, report=text), row(1, report=text + " more"), row(2, report=text + " more"), row(3, report="other")]
    table = table_of(rows)
    near = Near(report=alike_reports(table.pairs["report"].to_list()))
    assert curate(table, Rules(near_report=0.9), near).kept == ["s0", "s3"]
    assert curate(table, Rules(near_report=1.0), near).kept == ["s0", "s1", "s3"]


def test_a_rule_without_its_measurement_is_an_error_not_a_pass(row):
    with pytest.raises(ValueError, match="not measured"):
        curate(table_of([row(0)]), Rules(near_film=0.9))


def test_top_keeps_the_best_of_each_finding(row):
    rows = [row(n, labels=["pneumothorax"], agreement=0.6 + n / 100) for n in range(10)]
    rows += [row(n, labels=["lung mass"], agreement=0.9 + n / 1000) for n in range(10, 14)]
    apart = curate(table_of(rows), Rules(top=Top(share=0.5)))
    assert apart.kept == ["s5", "s6", "s7", "s8", "s9", "s12", "s13"]
    together = curate(table_of(rows), Rules(top=Top(share=0.5, per_finding=False)))
    assert together.kept == ["s7", "s8", "s9", "s10", "s11", "s12", "s13"]


def test_utility_weighs_rarity_agreement_and_novelty(row):
    rows = [row(n, labels=["pneumothorax"], agreement=0.9) for n in range(8)] + [row(8, labels=["lung mass"])]
    rare = curate(table_of(rows), Rules(utility=Utility(share=0.1, agreement=0, rarity=1)))
    assert rare.kept == ["s8"]
    near = Near(film=edges((1, 0, 0.99), (8, 2, 0.9)))
    novel = curate(table_of(rows), Rules(utility=Utility(share=0.5, agreement=0, rarity=0, novelty=1)), near)
    assert set(novel.kept) == {"s3", "s4", "s5", "s6", "s7"}


def test_balance_thins_out_what_is_common(row):
    rng = np.random.default_rng(0)
    names, odds = ["pleural effusion", "cardiomegaly", "pneumothorax", "lung mass"], [0.6, 0.4, 0.2, 0.05]
    rows = [row(n, labels=[x for x, p in zip(names, odds, strict=True) if rng.random() < p]) for n in range(2000)]
    table = table_of(rows)
    selection = curate(table, Rules(balance=Balance()))
    counts = shows(rows, selection)
    before, after = spread(table, selection)
    assert before > 8
    assert after < 1.5
    assert counts["lung mass"] > 0.9 * sum("lung mass" in [k for k, v in r.labels.items() if v] for r in rows)


def test_balance_follows_its_weights_and_count(row):
    rows = [row(n, labels=[("pneumothorax", "lung mass")[n % 2]]) for n in range(400)]
    rules = Rules(balance=Balance(weights={"pneumothorax": 2.0, "lung mass": 1.0}, pairs=50, tolerance=0))
    assert shows(rows, curate(table_of(rows), rules)) == {"pneumothorax": 100, "lung mass": 50}


def test_caps_hold_for_named_findings_for_the_rest_and_for_none(row):
    rows = [row(n, labels=[("pneumothorax",), ("lung mass",), ()][n % 3]) for n in range(90)]
    rules = Rules(caps={"pneumothorax": 5, "no finding": 0, "other": 20})
    selection = curate(table_of(rows), rules)
    assert shows(rows, selection) == {"pneumothorax": 5, "lung mass": 20}
    assert len(selection.kept) == 25


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (Rules(caps={"pneumotorax": 5}), "no pair shows 'pneumotorax'"),
        (Rules(balance=Balance(weights={"gout": 1})), "no pair shows 'gout'"),
        (Rules(top=Top(share=0.5, gate="agrement")), "'agrement'"),
    ],
)
def test_a_name_that_no_pair_has_is_told_with_those_there_are(row, rules, told):
    with pytest.raises(ValueError, match=told):
        curate(table_of([row(0, labels=["pneumothorax"])]), rules)


@pytest.mark.parametrize(
    "wrong",
    [
        {"near_image": 25},
        {"near_film": 0.5},
        {"near_report": 1.1},
        {"top": {"share": 0}},
        {"utility": {"share": 0.5, "agreement": 0, "rarity": 0}},
        {"balance": {"weights": {"other": 0}}},
        {"nearimage": 3},
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(wrong):
    with pytest.raises(ValidationError):
        Rules.model_validate(wrong)


def test_rules_name_their_selection():
    assert Rules().name == "default"
    assert Rules(near_image=3).name != Rules(near_image=4).name


def test_every_rule_is_explained_in_order_with_an_example(row):
    rows = [row(0), row(1, agreement=0.2), row(2, image="hash0"), row(3, labels=["lung mass"]), row(4)]
    selection = curate(table_of(rows), Rules(caps={"no finding": 1}))
    lines = explain(selection)
    assert [(line.rule, line.seen, line.removed, line.left) for line in lines] == [
        ("gate agreement", 5, 1, 4),
        ("same image", 4, 1, 3),
        ("cap", 3, 1, 2),
    ]
    assert lines[0].example == "s1"
    assert lines[0].why == "0.2 is below 0.5"
    assert lines[-1].left == len(selection.kept)


def test_nothing_removed_is_nothing_to_explain():
    assert explain(Selection(rules=LAX, choices=[Choice(sample_id="s0", kept=True)])) == []
