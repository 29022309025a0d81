"""Write docs/reference/ anew from the code: the profile's fields, the kinds and their options, the commands, the API.

    python -m docs.generate

Nothing of it is committed, so none of it can be out of date; `make docs` runs this before it builds the site.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
PACKAGES = ("storage", "models", "tasks", "flows")
PROFILE = """# Profile fields

Every field of a profile, from the schema that checks it. `synth check` lists all that is wrong with a profile at once,
and `--set SECTION.FIELD=VALUE` changes one field for one run.
"""
KINDS = """# Kinds and their options

What a profile may name as `kind`, and the `options` that each takes.
"""
LIMITS = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {}",
    "maxItems": "at most {}", "pattern": "pattern {}",
}  # fmt: skip


def profile_page() -> str:
    """One table a section of the recipe."""
    from tasks.recipe.schema import Recipe

    schema = Recipe.model_json_schema()
    sections = [("The top of a profile", schema), *sorted(schema["$defs"].items())]
    return PROFILE + "".join(f"\n## {name}\n\n{section_text(section)}\n" for name, section in sections)


def section_text(schema: Mapping[str, Any], noun: str = "field") -> str:
    """The description of a section and a row for each of its fields; one without fields is only described."""
    text = str(schema.get("description", "")).strip()
    fields = schema.get("properties")
    if not fields:
        return text if noun == "option" or text else type_of(schema)
    needed = schema.get("required", ())
    rows = [
        (f"`{name}`", type_of(field), "required" if name in needed else default_of(field), notes(field))
        for name, field in fields.items()
    ]
    return f"{text}\n\n{table((noun, 'type', 'default', 'description'), rows)}"


def default_of(field: Mapping[str, Any]) -> str:
    """A field's default; a whole section has those of its own fields."""
    return "" if "$ref" in field else f"`{plain(field.get('default'))}`"


def notes(field: Mapping[str, Any]) -> str:
    """A field's description and its bounds."""
    description = str(field.get("description", "")).rstrip(".")
    options = [field, *field.get("anyOf", ())]
    bounds = [LIMITS[key].format(f"`{one[key]}`") for one in options for key in LIMITS if key in one]
    return "; ".join(part for part in (description, ", ".join(bounds)) if part)


def type_of(field: Mapping[str, Any]) -> str:
    """A field's type in few words, with a link to the section that it is."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in field:
            return " or ".join(dict.fromkeys(type_of(one) for one in field[several]))
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", (field.get("const"),)))
    if field.get("type") == "array":
        items = field.get("items") or {}
        return f"list of {type_of(items)}" if items else "list"
    return {"object": "mapping", "null": "empty"}.get(str(field.get("type")), str(field.get("type", "any")))


def kinds_page() -> str:
    """Every kind by name: the description of its class, and its options."""
    return KINDS + "".join(
        f"\n## {title.replace('_', ' ').capitalize()}\n"
        + "".join(f"\n### {kind}\n\n{section_text(schema, 'option')}\n" for kind, schema in kinds.items())
        for title, kinds in kind_schemas().items()
    )


def kind_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of all that a profile may name as `kind`, by table and kind."""
    from models.registry import TABLES, schemas
    from models.vlp.objectives import OBJECTIVES
    from tasks.evaluate.protocol import TASKS

    return schemas({**TABLES, "objectives": OBJECTIVES, "evaluation_tasks": TASKS})


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def plain(value: Any) -> str:
    """A default as a profile would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return {"None": "empty", "": '""'}.get(str(value), str(value))


def modules(package: str) -> Iterator[str]:
    """The modules of a package that define something public, by dotted name."""
    for path in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text())
        public = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if any(isinstance(node, public) and not node.name.startswith("_") for node in tree.body):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def api_pages() -> dict[str, str]:
    """A page for each folder of a package, with what mkdocstrings shows of its modules."""
    pages: dict[str, list[str]] = {}
    for package in PACKAGES:
        for name in modules(package):
            parts = name.split(".")
            pages.setdefault(".".join(parts[: 2 if len(parts) > 2 else 1]), []).append(name)
    return {
        page: f"# {page}\n" + "".join(f"\n::: {name}\n" for name in names) for page, names in sorted(pages.items())
    }


def main() -> None:
    """Write all pages."""
    shutil.rmtree(REFERENCE, ignore_errors=True)
    (REFERENCE / "api").mkdir(parents=True)
    (REFERENCE / "profile.md").write_text(profile_page())
    (REFERENCE / "kinds.md").write_text(kinds_page())
    pages = api_pages()
    for page, text in pages.items():
        (REFERENCE / "api" / f"{page}.md").write_text(text)
    links = "".join(f"- [`{page}`](api/{page}.md)\n" for page in pages)
    (REFERENCE / "index.md").write_text(
        "# Reference\n\nWritten from the code by `python -m docs.generate`.\n\n- [Profile fields](profile.md)\n"
        f"- [Kinds and their options](kinds.md)\n- [Commands](cli.md)\n\n## Packages\n\n{links}"
    )
    argv = [sys.executable, "-m", "typer", "flows.cli.app", "utils", "docs", "--name", "synth", "--output"]
    subprocess.run([*argv, str(REFERENCE / "cli.md")], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
