"""The reference is written from the code, and the pages link only to what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate
from tasks.recipe.schema import Recipe

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if "reference" not in page.parts]


def test_every_field_of_a_recipe_has_a_row() -> None:
    page = generate.profile_page()
    for name in Recipe.model_fields:
        assert f"\n| `{name}` |" in page, name


def test_every_field_of_every_section_of_a_recipe_is_described() -> None:
    schema = Recipe.model_json_schema()
    sections = {"Recipe": schema, **schema["$defs"]}
    assert {"ArmSection", "Rules", "SourceSection"} <= sections.keys()
    assert undescribed(sections) == []


def test_every_kind_has_a_heading_and_every_option_a_description() -> None:
    page = generate.kinds_page()
    tables = generate.kind_schemas()
    assert {"report_generators", "objectives", "evaluation_tasks"} <= tables.keys()
    for kinds in tables.values():
        assert undescribed(kinds) == []
        for kind, schema in kinds.items():
            assert schema["description"], kind
            assert f"\n### {kind}\n" in page, kind
    assert "| `max_num_seqs` |" in page


def undescribed(schemas: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, value in schema.get("properties", {}).items()
        if not value.get("description", "").strip()
    ]


def test_every_public_module_is_on_one_page() -> None:
    pages = generate.api_pages()
    shown = [line for text in pages.values() for line in text.splitlines() if line.startswith(":::")]
    assert len(shown) == len(set(shown)) > 150
    assert "::: storage.ledger" in pages["storage"].splitlines()


def test_a_row_holds_the_description_of_its_field_and_its_bounds() -> None:
    field = {"type": "integer", "default": 3, "minimum": 1, "description": "Times it is tried."}
    section = {"description": "A section.", "properties": {"attempts": field}}
    assert generate.section_text(section).splitlines()[-1] == (
        "| `attempts` | integer | `3` | Times it is tried; ≥ `1` |"
    )


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"type": "integer"}, "integer"),
        ({"anyOf": [{"$ref": "#/$defs/Top"}, {"type": "null"}]}, "[Top](#top) or empty"),
        ({"enum": ["a", "b"]}, "`a` or `b`"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
    ],
)
def test_a_type_is_named_in_few_words(field: dict[str, object], expected: str) -> None:
    assert generate.type_of(field) == expected


def test_a_default_is_written_as_in_a_profile() -> None:
    assert [generate.plain(value) for value in (None, True, 0, 1, "", "a")] == ["empty", "true", "0", "1", '""', "a"]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    local = [target for target in targets if not target.startswith(("http://", "https://"))]
    lost = [target for target in local if not (page.parent / target).exists() and "reference/" not in target]
    assert lost == []


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r"[\w/-]+\.md", str(yaml.safe_load(text)["nav"])))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in WRITTEN if (ROOT / "docs") in page.parents}
    assert pages <= named
