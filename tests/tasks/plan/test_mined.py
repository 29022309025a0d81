"""Banks mined from public reports plan, are written and are judged: OpenI's and those of radlabels."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks.public_corpora import CorpusNotFound, openi, silver
from models.contracts import EntityType
from models.findings.chest_recogniser import ChestRecogniser
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.records import PairRow
from storage.shards import read_samples
from storage.versions import VersionPlace
from tasks.audit.entities import write_entities
from tasks.check.unjudged import unjudged_problems
from tasks.corpora.mentions import mine
from tasks.corpora.reports import Report
from tasks.plan.plan import make_plan
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe, load_recipe
from tasks.recipe.schema import Recipe
from tests.making import Making

PROFILE = Path(__file__).parents[2] / "profiles" / "fast.yaml"
UNJUDGED = [f"report_gates.{number}.allow_unjudged=['*']" for number in (1, 2)]
PHANTOM = [f"report_gates.{number}.options.vocabulary=phantom" for number in (1, 2)]


@pytest.fixture(scope="module", params=["openi", "radlabels"])
def bank(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bank that `synth audit entities` makes of a public corpus."""
    try:
        corpus = openi() if request.param == "openi" else silver()
    except CorpusNotFound as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp(request.param)
    write_entities(mine((Report(item.name, item.text) for item in corpus), ChestRecogniser()), folder, [])
    return folder / "bank.csv"


def recipe_of(bank: Path, *changes: str) -> Recipe:
    return load_recipe(str(PROFILE), [f"plan.bank={bank}", *UNJUDGED, *changes], PROFILE.parent)


@pytest.mark.parametrize("constraints", ["phantom", "generic"])
@pytest.mark.parametrize("per_report", [1, 2])
def test_every_sample_keeps_the_rules_and_what_is_left_out_is_said(
    bank: Path, constraints: str, per_report: int
) -> None:
    asked = dict.fromkeys((kind.value for kind in EntityType), per_report)
    recipe = recipe_of(bank, f"plan.constraints={constraints}", f"plan.per_report={asked}", "pairs=4000")
    plan = make_plan(recipe, fingerprint(recipe))
    rows, table = plan.sampler.draw(0, plan.pairs), plan.sampler.table
    assert not any(table.conflicts(rows[:, a], rows[:, b]).any() for a, b in combinations(range(rows.shape[1]), 2))
    places = plan.sampler.columns()[EntityType.ANATOMY]
    assert not any(table.unplaceable(column, rows).any() for column in rows[:, places].T)
    used = np.bincount(rows.ravel(), minlength=len(plan.entities)) > 0
    missing = {entity.id for entity, here in zip(plan.entities, used, strict=True) if not here}
    assert missing <= set(plan.report().left_out), "an entity that no sample has is named as left out"


@pytest.mark.parametrize(("vocabulary", "knows_all"), [([], True), (PHANTOM, False)], ids=["its own", "phantom"])
def test_sixteen_samples_are_written_and_judged(
    bank: Path, tmp_path: Path, vocabulary: list[str], knows_all: bool
) -> None:
    recipe = recipe_of(bank, "pairs=16", "shard_size=16", *vocabulary)
    mark = fingerprint(recipe)
    store, ref = LocalStore(tmp_path), DatasetRef("mined", f"v-{mark[:10]}")
    open_version(VersionPlace(store, ref), dump_recipe(recipe), mark)
    entry = Making(recipe, store, ref).run(0)
    assert entry.accepted >= 12
    rows = [PairRow.model_validate(sample.json) for sample in read_samples(store, [ref.pairs(0)])]
    assert any(gate.not_judged for row in rows for gate in row.gates) is not knows_all
    for row in rows:
        assert all(mention["phrase"] in f"{row.findings} {row.impression}".lower() for mention in row.mentions)


def test_gates_on_the_phantoms_words_refuse_what_they_do_not_know_by_name(bank: Path) -> None:
    recipe = load_recipe(str(PROFILE), [f"plan.bank={bank}", "pairs=16", *PHANTOM], PROFILE.parent)
    told = unjudged_problems(recipe, make_plan(recipe, fingerprint(recipe)).entities)
    assert len(told) == 2
    assert all("name those that may pass unjudged in report_gates" in problem for problem in told)
