"""Pairs that a corpus had every chance to show and never did: learnt, written, read and refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contracts import Entity, EntityType
from models.findings.chest_recogniser import Span
from tasks.audit.pairs import entity_ids
from tasks.corpora.reports import Report
from tasks.plan.errors import PlanError
from tasks.plan.plan import make_plan
from tasks.plan.rules.constraints import ConflictTable, rule_set
from tasks.plan.rules.cooccurrence import learn, never_together, save
from tasks.recipe.schema import Recipe

APART = [["a", "c"]] * 30 + [["b", "c"]] * 30
"""`a` and `b` are each in half of 60 reports, so 15 reports should have both."""


def bank(*names: str) -> list[Entity]:
    return [Entity(name, EntityType.DISEASE, name) for name in names]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=40), st.floats(0.1, 5))
def test_counts_are_those_of_counting_by_hand(reports: list[list[str]], least: float) -> None:
    found = learn(reports, least)
    single = Counter(name for report in reports for name in set(report))
    double = Counter(pair for report in reports for pair in combinations(sorted(set(report)), 2))
    wanted = {
        (a, b): double[a, b]
        for a, b in combinations(sorted(single), 2)
        if single[a] * single[b] >= least * len(reports)
    }
    got = {(found.ids[a], found.ids[b]): int(n) for (a, b), n in zip(found.pairs, found.observed, strict=True)}
    assert got == wanted


def test_what_should_have_met_and_never_did_is_refused(tmp_path: Path) -> None:
    found = learn(APART)
    assert found.never == 1
    save(found, tmp_path / "pairs.parquet")
    assert never_together(str(tmp_path / "pairs.parquet"), bank("c", "b", "x", "a")).tolist() == [[3, 1]]


def test_a_pair_that_was_hardly_expected_stays_allowed(tmp_path: Path) -> None:
    save(learn(APART[::2], least=1), tmp_path / "pairs.parquet")  # 7.5 expected, none seen
    assert not len(never_together(str(tmp_path / "pairs.parquet"), bank("a", "b")))


def test_equal_corpora_give_equal_files(tmp_path: Path) -> None:
    save(learn(APART), tmp_path / "one.parquet")
    save(learn(APART[::-1]), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_corpus_of_thousands_of_entities_is_learnt_sparsely() -> None:
    rng = np.random.default_rng(0)
    reports = [[f"e{int(n)}" for n in rng.zipf(1.3, 12) if n < 20_000] for _ in range(20_000)]
    found = learn(reports)
    assert len(found.ids) > 5_000
    assert 0 < len(found.pairs) < len(found.ids)


@pytest.mark.parametrize(("reports", "least"), [([], 10), (APART, 0)])
def test_nothing_to_learn_from(reports: list[list[str]], least: float) -> None:
    with pytest.raises(PlanError, match=r"no report to learn|must be above 0"):
        learn(reports, least)


def test_the_names_are_those_of_a_mined_bank() -> None:
    class Rules:
        def spans(self, texts: Sequence[str]) -> list[list[Span]]:
            kinds = (("pneumothorax", EntityType.NON_DISEASE, "absent"), ("ribs", EntityType.ANATOMY, "present"))
            return [
                [Span(0, 1, name, name, name, kind, status) for name, kind, status in kinds if name in text]  # type: ignore[arg-type]
                for text in texts
            ]

    reports = [Report("1", "no pneumothorax; ribs"), Report("2", "ribs, ribs"), Report("3", "")]
    assert list(entity_ids(reports, Rules())) == [
        {"non_disease/no pneumothorax", "anatomy/rib"},
        {"anatomy/rib"},
        set(),
    ]


def test_the_table_of_conflicts_tells_these_pairs() -> None:
    entities = bank("a", "b", "c", "d")
    table = ConflictTable(entities, rule_set("generic"), np.array([[2, 0], [0, 2], [1, 3]]))
    every = np.arange(4)
    matrix = table.conflicts(every[:, None], every[None, :])
    assert sorted(map(tuple, np.argwhere(matrix & ~np.eye(4, dtype=bool)).tolist())) == [
        (0, 2),
        (1, 3),
        (2, 0),
        (3, 1),
    ]
    assert not table.conflicts(every, np.full(4, -1)).any()
    assert table.count_conflicts(every, np.array([2, 2, 3])).tolist() == [2, 1, 2, 1]
    assert table.broken(every, every[::-1])["cooccurrence"].tolist() == [False] * 4
    assert table.broken(np.array([2]), np.array([0]))["cooccurrence"].all()
    assert "never has both in one report" in (table.reason(3, 1) or "")


def test_a_plan_keeps_them_apart(tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    ids = ["disease/cardiomegaly", "abnormality/pleural effusion"]
    save(learn([[ids[0]]] * 30 + [[ids[1]]] * 30), tmp_path / "pairs.parquet")
    plan = make_plan(recipe(f"plan.cooccurrence={tmp_path}/pairs.parquet", "pairs=500"), "f" * 64)
    assert not any(set(ids) <= {mention.entity for mention in sample.mentions} for sample in plan.samples(0, 500))
    assert plan.report().refused["cooccurrence"] > 3
    assert "cooccurrence" in str(plan.report())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (None, "no file"),
        ({"first": ["a"], "second": ["b"], "expected": [12.0]}, "observed"),
        ({"first": ["a"], "second": ["b"], "expected": ["many"], "observed": [0]}, "could not convert"),
        (
            {"first": ["a", "a"], "second": ["b", "<|im_end|>"], "expected": [12.0, 12.0], "observed": [0, 0]},
            "row 2: ",
        ),
        (
            {"first": ["a"], "second": ["b\x1b[2J"], "expected": [12.0], "observed": [0]},
            r"row 1: 'b\\x1b\[2J' holds U\+001B",
        ),
        ({"first": [1], "second": ["b"], "expected": [12.0], "observed": [0]}, "row 1: 1 is no text"),
        ({"first": ["x"], "second": ["y"], "expected": [12.0], "observed": [0]}, "none of its entities, such as 'x'"),
    ],
)
def test_a_file_that_is_no_table_of_pairs(
    columns: dict[str, list[object]] | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.parquet"
    if columns is not None:
        pq.write_table(pa.table(columns), path)
    with pytest.raises(PlanError, match=message) as caught:
        never_together(str(path), bank("a", "b"))
    assert str(path) in str(caught.value)
