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

Every field of a profile, from the schema that checks it. `synth check` tells all that is wrong with a profile at once,
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


def section_text(schema: Mapping[str, Any]) -> str:
    """The description of a section and a row for each of its fields; a plain choice is only described."""
    text = str(schema.get("description", "")).partition("\nArgs:")[0].strip()
    fields = schema.get("properties")
    if not fields:
        return text or type_of(schema)
    needed = schema.get("required", ())
    rows = [
        (f"`{name}`", type_of(field), "required" if name in needed else default_of(field), notes(field))
        for name, field in fields.items()
    ]
    return f"{text}\n\n{table(('field', 'type', 'default', 'what it says'), rows)}"


def default_of(field: Mapping[str, Any]) -> str:
    """A field's default; that of a whole section is told where the section is."""
    return "" if "$ref" in field else f"`{plain(field.get('default'))}`"


def notes(field: Mapping[str, Any]) -> str:
    """What a field's schema says in words: its description and its bounds."""
    options = [field, *field.get("anyOf", ())]
    bounds = [LIMITS[key].format(f"`{one[key]}`") for one in options for key in LIMITS if key in one]
    return "; ".join(part for part in (str(field.get("description", "")), ", ".join(bounds)) if part)


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
    """Every table of the registry: each kind, what its class says, and its options."""
    from models import registry

    tables = {
        "Report generators": registry.REPORT_GENERATORS,
        "Image generators": registry.IMAGE_GENERATORS,
        "Gates on the report": registry.REPORT_GATES,
        "Gates on the film": registry.FILM_GATES,
        "Encoders": registry.ENCODERS,
    }
    return KINDS + "".join(
        f"\n## {title}\n" + "".join(f"\n### {kind}\n\n{kind_text(table, kind)}\n" for kind in table)
        for title, table in tables.items()
    )


def kind_text(table_of_kinds: Mapping[str, str], kind: str) -> str:
    """The first paragraph of a kind's docstring, and its options."""
    from models.registry import factory_of
    from models.typed import options_model

    factory = factory_of(table_of_kinds, kind)
    says = " ".join((factory.__doc__ or "").strip().split("\n\n")[0].split())
    fields = options_model(factory).model_fields
    rows = [
        (
            f"`{field.alias or name}`",
            f"`{getattr(field.annotation, '__name__', field.annotation)}`",
            "required" if field.is_required() else f"`{plain(field.get_default(call_default_factory=True))}`",
            field.description or "",
        )
        for name, field in fields.items()
    ]
    return f"{says}\n\n{table(('option', 'type', 'default', 'what it says'), rows) if rows else 'No options.'}"


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
