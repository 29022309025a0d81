"""A plan is cut into shards without gap or overlap, and any sample of it can be had at any time."""

from __future__ import annotations

import hashlib
import pickle
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from tasks.plan.bank import load_bank
from tasks.plan.errors import PlanError
from tasks.plan.plan import Plan, make_plan
from tasks.recipe.schema import Recipe

ROOT = Path(__file__).parents[3]
PARTS = ("rib", "clavicle", "scapula", "sternum", "humerus", "vertebral", "manubrium", "xiphoid")
MARK = "abcdef0123456789" * 4


@pytest.fixture
def plan(recipe: Callable[..., Recipe]) -> Plan:
    return make_plan(recipe("pairs=150", "shard_size=64", "top_up=1.5"), MARK)


def test_shards_cover_every_sample_once(plan: Plan) -> None:
    assert (plan.base_shards, plan.top_up_shards) == (range(3), range(3, 5))
    sizes = [len(plan.shard(number)) for number in plan.base_shards]
    assert sizes == [64, 64, 22], "the last shard may be short"
    samples = [sample for number in plan.base_shards for sample in plan.shard(number)]
    assert [sample.index for sample in samples] == list(range(150))
    assert [sample.shard for sample in samples] == [n for n, size in enumerate(sizes) for _ in range(size)]


def test_ids_are_unique_sortable_and_safe_as_file_names(plan: Plan) -> None:
    ids = [sample.sample_id for sample in plan.samples(0, plan.pairs)]
    assert ids == sorted(set(ids))
    assert ids[42] == "abcdef01-00000042"
    assert all(part.isalnum() for name in ids for part in name.split("-"))


def test_one_sample_is_what_its_shard_holds(plan: Plan) -> None:
    assert [plan.sample(index) for index in range(64, 128)] == plan.shard(1)


@pytest.mark.parametrize("index", [-1, 150, 10**9])
def test_a_sample_outside_the_plan(index: int, plan: Plan) -> None:
    with pytest.raises(IndexError, match="samples 0 to 149"):
        plan.sample(index)


@pytest.mark.parametrize("shard", [-1, 3])
def test_a_shard_outside_the_plan(shard: int, plan: Plan) -> None:
    with pytest.raises(IndexError, match="shards 0 to 2"):
        plan.shard(shard)


def test_the_size_of_shards_and_of_the_plan_changes_no_sample(recipe: Callable[..., Recipe], plan: Plan) -> None:
    other = make_plan(recipe("pairs=9000", "shard_size=7"), MARK)
    assert [s.mentions for s in other.samples(0, 150)] == [s.mentions for s in plan.samples(0, 150)]


def test_the_order_of_types_in_the_profile_changes_no_sample(recipe: Callable[..., Recipe], plan: Plan) -> None:
    other = make_plan(
        recipe(
            "pairs=150", "plan.per_report={anatomy: 1, non_disease: 1, disease: 1, non_abnormality: 1, abnormality: 1}"
        ),
        MARK,
    )
    assert [s.mentions for s in other.samples(0, 150)] == [s.mentions for s in plan.samples(0, 150)]


def test_every_sample_holds_what_was_asked(plan: Plan) -> None:
    for sample in plan.samples(0, plan.pairs):
        assert Counter(mention.type.value for mention in sample.mentions) == Counter(
            {"abnormality": 1, "disease": 1, "non_abnormality": 1, "non_disease": 1, "anatomy": 1}
        )
        labels = [mention.label for mention in sample.mentions if mention.label]
        assert len(labels) == len(set(labels)), "a finding is stated once, present or absent"


def test_planned_counts_are_those_of_the_samples_and_balanced(recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(recipe(), MARK)
    counted = Counter(mention.entity for sample in plan.samples(0, 512) for mention in sample.mentions)
    counts = plan.planned_counts()
    assert counts == {entity.id: counted[entity.id] for entity in load_bank("phantom")}
    for kind in {entity.type for entity in plan.entities}:
        of_kind = [counts[entity.id] for entity in plan.entities if entity.type is kind]
        assert max(of_kind) - min(of_kind) <= 1


def test_a_report_tells_how_often_the_rules_acted(plan: Plan) -> None:
    report = plan.report()
    assert report.samples == 150
    assert sum(report.dealt.values()) == 750
    assert 0 < report.moved_share < 0.3


@pytest.mark.parametrize(
    ("per_report", "digest"),
    [
        ("plan.max_use=", "77b20ae68592f95a"),
        (
            "plan.per_report={abnormality: 3, disease: 2, non_abnormality: 1, non_disease: 1, anatomy: 2}",
            "59dcffa4cde37294",
        ),
    ],
)
def test_an_even_plan_never_changes_between_releases(
    per_report: str, digest: str, recipe: Callable[..., Recipe]
) -> None:
    samples = make_plan(recipe("pairs=2000", per_report), MARK).samples(0, 2000)
    said = "\n".join("|".join(mention.phrase for mention in sample.mentions) for sample in samples)
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == digest, "raise FORMAT_VERSION if this is meant"


def test_a_report_is_told_in_one_line(plan: Plan) -> None:
    said = str(plan.report())
    assert re.fullmatch(r"the rules moved \d+\.\d% of the entities dealt \(refused per entity: concept .*%\)", said)


def test_another_process_plans_the_same(plan: Plan) -> None:
    code = (
        "from pathlib import Path\n"
        "from tasks.recipe.profile import load_recipe\n"
        "from tasks.plan.plan import make_plan\n"
        "recipe = load_recipe('local', ['pairs=150', 'shard_size=64'], Path('flows/profiles'))\n"
        f"print(make_plan(recipe, {MARK!r}).shard(1))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": "9"}, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == str(plan.shard(1))


def test_a_plan_travels_to_another_worker(plan: Plan) -> None:
    assert pickle.loads(pickle.dumps(plan)).shard(2) == plan.shard(2)


def test_a_foreign_bank_is_planned_with_general_rules(tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    terms = ["increased heart size", "decreased heart size", *(f"{part} fracture" for part in PARTS)]
    lines = ["type,term", *(f"abnormality,{term}" for term in terms), *(f"non_abnormality,no {t}" for t in terms[1:])]
    (tmp_path / "bank.csv").write_text("\n".join(lines), encoding="utf-8")
    foreign = make_plan(
        recipe(f"plan.bank={tmp_path}/bank.csv", "plan.per_report={abnormality: 2, non_abnormality: 1}"), MARK
    )
    for sample in foreign.samples(0, 500):
        phrases = " | ".join(mention.phrase for mention in sample.mentions)
        assert phrases.count("heart size") <= 1
        assert len({mention.phrase.removeprefix("no ") for mention in sample.mentions}) == 3


def test_a_hundred_thousand_samples_take_seconds(recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(recipe("pairs=100000"), MARK)
    started = time.perf_counter()
    assert sum(len(plan.shard(number)) for number in plan.base_shards) == 100_000
    assert time.perf_counter() - started < 20, "about 1 s on a quiet core"


def test_a_dead_end_leaves_an_entity_out_and_says_so(tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    # Sooner or later three samples in a row deny a heart size, and neither heart size has a place left.
    terms = ["increased heart size", "decreased heart size", "rib fracture", "opacity", "scar", "calcification"]
    lines = ["type,term", *(f"abnormality,{term}" for term in terms), *(f"non_abnormality,no {t}" for t in terms)]
    (tmp_path / "bank.csv").write_text("\n".join(lines), encoding="utf-8")
    asked = (f"plan.bank={tmp_path}/bank.csv", "plan.per_report={abnormality: 2, non_abnormality: 1}")
    plan = make_plan(recipe(*asked), MARK)
    report = plan.report()
    assert plan.left_out(0, plan.pairs) == sum(report.left_out.values()) > 0
    assert re.search(
        r"; \d+ times an entity had no sample that the rules allow and another one of its type was dealt, for \d+ "
        r"entities: (abnormality/(in|de)creased heart size|non_abnormality/no \w+( heart size)?) \(\d+\)",
        str(report),
    )
    rows = plan.sampler.draw(0, plan.pairs)
    for a, b in combinations(range(3), 2):
        assert not plan.sampler.table.conflicts(rows[:, a], rows[:, b]).any()


def test_a_cap_counts_what_stands_in_for_entities_that_were_left_out(
    tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    lines = ["type,term", *(f"disease,pneumothorax {n}" for n in range(4)), "anatomy,lung", "anatomy,rib"]
    (tmp_path / "bank.csv").write_text("\n".join(lines), encoding="utf-8")
    asked = (f"plan.bank={tmp_path}/bank.csv", "plan.per_report={disease: 1, anatomy: 1}", "plan.max_use=10")
    assert make_plan(recipe(*asked, "pairs=10"), MARK).planned_counts()["anatomy/lung"] == 10, "the rib has no sample"
    with pytest.raises(PlanError, match=r"use anatomy 'lung' .* 11 times.*; the largest feasible number is pairs=10,"):
        make_plan(recipe(*asked, "pairs=11"), MARK)


def test_only_the_samples_that_are_asked_for_are_planned(recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(recipe("pairs=16"), MARK)
    plan.sample(3)
    assert max(len(known.rows) for known in plan.sampler._cache.values()) == 16
