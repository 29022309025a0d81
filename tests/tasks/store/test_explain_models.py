"""`synth explain` says which models made a pair that the two stages made, published or not."""

from __future__ import annotations

from pathlib import Path

from storage.layout import DatasetRef
from storage.versions import VersionPlace
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe
from tasks.store.explain import Explanation, explain_everywhere
from tests.making import Making, fast_recipe

REF = DatasetRef("fast-cxr", "v1")


def facts(found: Explanation) -> dict[str, dict[str, str]]:
    return {chapter.title: dict(chapter.facts) for chapter in found.chapters}


def test_a_pair_is_told_with_both_models_and_a_waiting_report_with_its_own(tmp_path: Path) -> None:
    recipe = fast_recipe("pairs=4", "shard_size=4", "images.generator.options={size: 64}", "image_gates=[]")
    making = Making(recipe, tmp_path, REF)
    open_version(VersionPlace(making.store, REF), dump_recipe(recipe), fingerprint(recipe))
    sample = making.generation.specs(0)[0].sample_id
    making.reports.run(0)
    (waiting,) = explain_everywhere(making.store, sample)
    assert waiting.outcome == "its report is written, its film is not drawn yet"
    model = facts(waiting)["Report"]["model"]
    assert model.startswith("phantom-report@")
    manifest = making.finish([making.run(0)])
    (pair,) = explain_everywhere(making.store, sample)
    told = facts(pair)
    assert (told["Report"]["model"], told["Film"]["model"]) == (model, "phantom-a@code")
    assert (told["Model of reports"]["name"], told["Model of images"]["name"]) == ("phantom-report", "phantom-a")
    assert set(manifest.models) == {"reports", "images"}
