"""The fingerprint changes with every field that changes the samples, and with no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import (
    ADDED,
    EXCLUDED,
    FieldChange,
    diff,
    explain_diff,
    fingerprint,
    leaves,
    reason_excluded,
    sample_fields,
    version_of,
)
from tasks.recipe.profile import dump_recipe, load_recipe, parse_recipe
from tasks.recipe.reading import parse_yaml
from tasks.recipe.schema import Recipe

ROOT = Path(__file__).parents[3]
PROFILES = ROOT / "flows" / "profiles"
SET = ("plan.max_use=900", "reports.generator.options.tensor_parallel_size=1")
BASE = load_recipe("local", SET, PROFILES)
LEAVES = leaves(BASE.model_dump(mode="json"))
OTHERS: dict[str, tuple[Any, ...]] = {
    "plan.target": ("square_root",),
    "plan.axes": ({"sex": ["female", "male"]},),
    "images.prompt_axes": (True,),
}


def data() -> dict[str, Any]:
    return json.loads(BASE.model_dump_json())


def changed(path: str) -> Recipe | None:
    """The recipe with another value at `path`; None where the schema allows only one."""
    value = LEAVES[path]
    numbers = [value + 1, value - 1, value * 0.97] if isinstance(value, int | float) else []
    candidates = [not value] if isinstance(value, bool) else numbers or ["other", 9, {"x": 1}]
    for candidate in [*OTHERS.get(path, ()), *candidates]:
        document = data()
        *parents, last = path.split(".")
        node: Any = document
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[int(last) if isinstance(node, list) else last] = candidate
        try:
            return parse_recipe(document)
        except RecipeError:
            continue
    return None


@pytest.mark.parametrize("path", sorted(LEAVES))
def test_a_field_changes_the_fingerprint_unless_the_table_excludes_it(path: str, tmp_path: Path) -> None:
    other = changed(path)
    if path == "plan.bank":
        (tmp_path / "bank.csv").write_text("type,term\n", encoding="utf-8")
        other = BASE.model_copy(update={"plan": BASE.plan.model_copy(update={"bank": str(tmp_path / "bank.csv")})})
    if path == "plan.cooccurrence":
        other = load_recipe("local", [*SET, f"plan.cooccurrence={__file__}"], PROFILES)
    if other is None:
        assert reason_excluded(path), "a field with one value cannot change anything"
        return
    assert (fingerprint(other) == fingerprint(BASE)) == (reason_excluded(path) is not None)


def test_every_exclusion_has_a_reason_and_excludes_something_that_exists() -> None:
    for path, reason in EXCLUDED.items():
        assert len(reason) > 5
        section = path.partition(".options.")[0]
        assert any(leaf == section or leaf.startswith(f"{section}.") for leaf in LEAVES), path


def test_a_field_that_came_later_changes_nothing_at_its_old_value() -> None:
    older = data()
    for path, value in ADDED.items():
        *parents, last = path.split(".")
        node: Any = older
        for part in parents:
            node = node[part]
        for item in node if isinstance(node, list) else [node]:
            assert item.pop(last) == value
    assert fingerprint(parse_recipe(older)) == fingerprint(BASE)
    assert sample_fields(older) == sample_fields(BASE), "also where the stored recipe does not know the field"


def test_the_places_that_matter_are_inside() -> None:
    for path in ("pairs", "shard_size", "seed", "top_up", "image_gates.0.threshold", "reports.attempts"):
        assert reason_excluded(path) is None


def test_it_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = (
        "from pathlib import Path; from tasks.recipe.profile import load_recipe; "
        "from tasks.recipe.fingerprint import fingerprint; "
        "print(fingerprint(load_recipe('local', [], Path('flows/profiles'))))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == fingerprint(load_recipe("local", [], PROFILES))


def test_the_order_of_keys_and_the_spelling_of_a_number_do_not_matter() -> None:
    document = data()
    document["plan"]["per_report"] = dict(reversed(document["plan"]["per_report"].items()))
    same = data()
    document["images"]["generator"]["options"]["guidance"] = 3
    same["images"]["generator"]["options"]["guidance"] = 3.0
    assert fingerprint(parse_recipe(document)) == fingerprint(parse_recipe(same))


@pytest.mark.parametrize("option", ["attention=xformers", "compile=true", "compile=false", "slicing=[vae]"])
def test_what_changes_only_the_rounding_changes_no_fingerprint(option: str) -> None:
    assert fingerprint(load_recipe("local", [*SET, f"images.generator.options.{option}"], PROFILES)) == fingerprint(
        BASE
    )
    assert "rounding" in str(reason_excluded(f"images.generator.options.{option.partition('=')[0]}"))


def test_true_and_one_are_two_values() -> None:
    one, true = data(), data()
    one["images"]["generator"]["options"]["safe"], true["images"]["generator"]["options"]["safe"] = 1, True
    assert fingerprint(parse_recipe(one)) != fingerprint(parse_recipe(true))
    assert [change.path for change in diff(one, true)] == ["images.generator.options.safe"]


def test_a_bank_counts_by_its_bytes_and_not_by_its_path(tmp_path: Path) -> None:
    def marked(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return fingerprint(load_recipe("local", [f"plan.bank={tmp_path / name}"], PROFILES))

    assert marked("a.csv", "type,term\ndisease,mumps\n") == marked("b.csv", "type,term\ndisease,mumps\n")
    assert marked("a.csv", "type,term\ndisease,mumps\n") != marked("a.csv", "type,term\ndisease,measles\n")


def test_a_label_set_counts_by_its_name_or_by_the_bytes_of_its_file(tmp_path: Path) -> None:
    bank = tmp_path / "bank.csv"
    bank.write_text("type,term\ndisease,mumps\n", encoding="utf-8")

    def marked(label_set: str, text: str = "") -> str:
        if text:
            (tmp_path / label_set).write_text(text, encoding="utf-8")
            label_set = str(tmp_path / label_set)
        return fingerprint(load_recipe("local", [f"plan.bank={bank}", f"plan.label_set={label_set}"], PROFILES))

    assert marked("nih-14") != marked("vindr")
    assert marked("a.yaml", "name: a") == marked("b.yaml", "name: a") != marked("c.yaml", "name: c")
    with pytest.raises(RecipeError, match=r"plan\.label_set: no/set\.yaml: No such.*give a file with a label set"):
        marked("no/set.yaml")


def test_a_gate_that_looks_for_the_findings_of_a_bank_is_not_one_that_looks_for_the_phantoms(tmp_path: Path) -> None:
    bank = tmp_path / "bank.csv"
    bank.write_text("type,term\ndisease,mumps\n", encoding="utf-8")

    def marked(*vocabulary: str) -> str:
        options = [f"report_gates.{gate}.options={{vocabulary: {word}}}" for gate in (1, 2) for word in vocabulary]
        return fingerprint(load_recipe("local", [f"plan.bank={bank}", *options], PROFILES))

    assert len({marked(), marked("phantom"), marked("chest")}) == 3


def test_a_bank_that_is_not_there_is_named_with_the_remedy() -> None:
    with pytest.raises(RecipeError, match=r"plan\.bank: no/bank\.csv: No such file.*give a CSV"):
        fingerprint(load_recipe("local", ["plan.bank=no/bank.csv"], PROFILES))


def test_a_table_of_pairs_counts_by_its_bytes_and_must_be_there(tmp_path: Path) -> None:
    def marked(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return fingerprint(load_recipe("local", [f"plan.cooccurrence={tmp_path / name}"], PROFILES))

    assert marked("a.parquet", "one") == marked("b.parquet", "one") != marked("c.parquet", "two")
    with pytest.raises(RecipeError, match=r"plan\.cooccurrence: no/pairs: No such file.*leave it empty"):
        fingerprint(load_recipe("local", ["plan.cooccurrence=no/pairs"], PROFILES))


def test_version() -> None:
    assert version_of(BASE) == f"v-{fingerprint(BASE)[:10]}"
    assert version_of(load_recipe("local", ["version=2026.1"], PROFILES)) == "2026.1"


def test_a_diff_is_readable_and_takes_a_stored_recipe() -> None:
    stored = parse_yaml(dump_recipe(BASE), "recipe.yaml")
    other = load_recipe(
        "local", ["plan.max_use=900", "seed=5", "images.batch=99", "reports.generator.options.x=a"], PROFILES
    )
    assert diff(stored, BASE) == []
    assert diff(stored, other) == [FieldChange("reports.generator.options.x", None, "a"), FieldChange("seed", 0, 5)]
    assert explain_diff(stored, other) == (
        'these fields change the samples and differ:\n  reports.generator.options.x: (absent) -> "a"\n  seed: 0 -> 5'
    )
    assert explain_diff(stored, BASE).startswith("no field that changes the samples differs")
