"""The schema of a table of labels; the mistakes in a user's own file are reported all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.contracts import EntityType
from models.findings.ontology import concepts
from models.findings.table_files import TableError

LONGEST, MOST_LABELS = 120, 5_000
SHOWN = 8
TYPES = (EntityType.ABNORMALITY, EntityType.DISEASE, EntityType.NON_ABNORMALITY)
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Texts = tuple[Text, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Part):
    """One label; see `models.findings.label_sets.Label`."""

    name: Text
    type: EntityType | None = None
    means: Texts = ()
    kind_of: Texts = ()
    prompts: Texts = ()
    stated: Text | None = None
    phrases: Texts = ()
    aliases: Texts = ()
    sides: Texts = ()
    zones: Texts = ()
    severities: Texts = ()
    patterns: Texts = ()
    normal_patterns: Texts = ()

    @field_validator("type")
    @classmethod
    def _of_a_film(cls, value: EntityType | None) -> EntityType | None:
        if value is not None and value not in TYPES:
            raise ValueError(f"a label's type is one of {', '.join(kind.value for kind in TYPES)}")
        return value


class Table(_Part):
    """A table of labels."""

    name: Text
    no_finding: Text | None = None
    remarks: Texts = ()
    groups: dict[Text, Texts] = Field(default_factory=dict[Text, Texts])
    labels: Annotated[tuple[Row, ...], Field(min_length=1, max_length=MOST_LABELS)]


def read_rows(data: Mapping[str, Any], where: str, own: bool = True) -> Table:
    """The table that plain data holds.

    Args:
        data: of `models.findings.table_files`: text, lists and mappings.
        where: the file, for messages.
        own: whether it is a user's, which may hold no regular expressions.

    Raises:
        TableError: every mistake, with the label that has it.
    """
    try:
        table = Table.model_validate(data)
    except ValidationError as error:
        items = error.errors(include_url=False)
        # A list of labels that are all wrong is not empty too.
        kept = [item for item in items if item["type"] != "too_short" or len(items) == 1]
        raise TableError(where, _shown([_worded(item, data) for item in kept])) from error
    problems = [*_mistakes(table, own), *_group_mistakes(table)]
    if problems:
        raise TableError(where, _shown(problems))
    return table


def _mistakes(table: Table, own: bool) -> Iterator[str]:
    spelled: dict[str, str] = {}
    for text in (*table.remarks, *([table.no_finding] if table.no_finding else [])):
        spelled[_plain(text)] = "no finding or remark"
    for row in table.labels:
        where = f"label {row.name!r}"
        for spelling in dict.fromkeys((_plain(row.name), *map(_plain, row.aliases))):
            if spelling in spelled:
                yield f"{where}: the name {spelling!r} is taken by {spelled[spelling]}"
            spelled[spelling] = where
        for field in ("means", "kind_of"):
            for name in getattr(row, field):
                if name not in concepts():
                    yield f"{where}: {field}: there is no concept {name!r}{_suggest(name)}"
        if row.means and row.kind_of:
            yield f"{where}: means and kind_of exclude each other: a label means its concepts, or is a kind of them"
        if own and (row.patterns or row.normal_patterns):
            yield f"{where}: regular expressions are for the tables that ship: list the words under phrases"
        for text in _texts(row):
            if not text.isprintable() or not any(map(str.isalnum, text)) or "<" in text or text != text.strip():
                yield f"{where}: {text!r} is no plain text of printable characters"


def _group_mistakes(table: Table) -> Iterator[str]:
    names = {row.name for row in table.labels}
    for group, members in table.groups.items():
        for name in members:
            if name not in names:
                yield f"group {group!r}: there is no label {name!r}"


def _texts(row: Row) -> Iterator[str]:
    yield row.name
    if row.stated is not None:
        yield row.stated
    for field in ("prompts", "phrases", "aliases", "sides", "zones", "severities"):
        yield from getattr(row, field)


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").casefold().split())


def _suggest(word: str) -> str:
    near = difflib.get_close_matches(word[:LONGEST], list(concepts()), n=1)
    return f", did you mean {near[0]!r}?" if near else f"; see the {len(concepts())} names in concepts.yaml"


def _worded(item: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    place = _place(item["loc"], data)
    if item["type"] == "extra_forbidden":
        fields = Row.model_fields if item["loc"][0] == "labels" else Table.model_fields
        return f"{place}: unknown; known are {', '.join(fields)}"
    if item["type"] == "missing":
        return f"{place}: missing"
    if item["type"] == "too_short":
        return f"{place}: at least one label is needed"
    if item["type"] in ("tuple_type", "list_type"):
        return f"{place}: a list is needed, such as [{str(item['input'])[:40]}]"
    if item["type"] in ("model_type", "model_attributes_type"):
        return f"{place}: a mapping is needed, such as {{name: {str(item['input'])[:40]}}}"
    return f"{place}: {item['msg'].removeprefix('Value error, ')}"


def _place(where: tuple[str | int, ...], data: Mapping[str, Any]) -> str:
    """Where a mistake is: a label by its name, or by its number where it has none, and the field."""
    rows = data.get("labels")
    if len(where) < 2 or where[0] != "labels" or not isinstance(rows, list):
        return ".".join(map(str, where)) or "the table"
    row = rows[int(where[1])]
    named = row.get("name") if isinstance(row, Mapping) else None
    label = f"label {named!r}" if isinstance(named, str) and named else f"label {int(where[1]) + 1}"
    return ": ".join([label, *map(str, where[2:3])])


def _shown(problems: list[str]) -> list[str]:
    more = len(problems) - SHOWN
    return [*problems[:SHOWN], f"and {more} more mistakes"] if more > 0 else problems
