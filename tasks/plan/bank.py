"""Load an entity bank: the phantom hospital's, or a file of typed entities.

A file is CSV, YAML, JSON or Parquet with one entity a row. Columns: `type` (one of the five of RaTE-NER)
and `term`; optional `label` (a finding of the vocabulary, which gates and arms then know), `present`
(default: whether the term starts with a negation such as "no"), and `sides`, `zones`, `severities` (lists;
in a CSV separated by ``|``), and `count` (how often a corpus says it, for `plan.target`; those of duplicates add
up). Terms are normalised and duplicates dropped, since a bank mined from reports
has both (paper section 1).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.contracts import EntityType
from models.phantom.bank import Entity, entity_bank
from models.phantom.vocabulary import LABELS
from tasks.plan.constraints import negated
from tasks.plan.errors import BankError
from tasks.recipe.errors import RecipeError, did_you_mean
from tasks.recipe.reading import parse_yaml

LONGEST_TERM = 300
SHOWN_PROBLEMS = 20
REQUIRED = ("type", "term")
OPTIONAL = ("label", "present", "sides", "zones", "severities", "count")
TYPES = tuple(kind.value for kind in EntityType)
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_ACRONYM = re.compile(r"^[A-Z][A-Z0-9]+s?$")

Row = Mapping[str, Any]
OnProgress = Callable[[str, int, int], None]


def load_bank(bank: str, on_progress: OnProgress | None = None) -> tuple[Entity, ...]:
    """The entities of bank `bank`: ``phantom``, or the path of a file.

    Raises:
        BankError: no such file or format, no entity in it, or bad rows (each named).
    """
    if bank == "phantom":
        return tuple(entity_bank())
    path = Path(bank).expanduser()
    if path.suffix.lower() not in _READERS:
        raise BankError(f"plan.bank: {bank!r} is neither 'phantom' nor a {', '.join(_READERS)} file")
    try:
        rows = list(_READERS[path.suffix.lower()](path))
    except OSError as error:
        raise BankError(f"entity bank {bank}: {error.strerror or error}") from error
    except (UnicodeDecodeError, RecipeError, ValueError, csv.Error) as error:
        raise BankError(f"entity bank {bank} is not a readable {path.suffix[1:]} file: {error}") from error
    return _entities(rows, bank)


def normalise_term(term: str) -> str:
    """One space between words, lower case but for acronyms such as PICC, no end punctuation."""
    words = term.split()
    return " ".join(word if _ACRONYM.match(word) else word.lower() for word in words).strip(" .,;:")


def _entities(rows: list[tuple[int, Row]], bank: str) -> tuple[Entity, ...]:
    entities: dict[tuple[EntityType, str], Entity] = {}
    problems: list[str] = []
    for number, row in rows:
        found = [f"entity bank {bank}, row {number}: {line}" for line in _problems(row)]
        problems += found
        if not found:
            entity = _entity(row)
            first = entities.setdefault((entity.type, entity.term.casefold()), entity)
            if first is not entity and entity.count is not None:
                total = entity.count + (first.count or 0)
                entities[entity.type, entity.term.casefold()] = replace(first, count=total)
    if not rows:
        raise BankError(f"entity bank {bank} is empty: it needs rows with the columns {' and '.join(REQUIRED)}")
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        raise BankError([*problems[:SHOWN_PROBLEMS], *([f"and {more} more problems"] if more > 0 else [])])
    return tuple(entities.values())


def _problems(row: Row) -> list[str]:
    found = [
        f"unknown column {name!r}{did_you_mean(str(name), REQUIRED + OPTIONAL)}"
        for name in row
        if name not in REQUIRED + OPTIONAL
    ]
    found += [f"column {name!r} is missing" for name in REQUIRED if name not in row]
    if found:
        return found
    kind, term, label = row["type"], row["term"], row.get("label")
    if str(kind).strip() not in TYPES:
        near = did_you_mean(str(kind), TYPES)
        found.append(f"unknown entity type {kind!r}{near} Known: {', '.join(TYPES)}")
    if not isinstance(term, str) or not normalise_term(term):
        found.append(f"the term is {'empty' if _blank(term) or isinstance(term, str) else f'{term!r}, not text'}")
    elif len(term) > LONGEST_TERM:
        found.append(f"the term has {len(term)} characters, {LONGEST_TERM} are allowed: {term[:40]!r}...")
    if not _blank(label) and str(label).strip() not in LABELS:
        near = did_you_mean(str(label), LABELS)
        found.append(f"unknown finding {label!r}{near} Leave `label` empty for a finding outside the vocabulary")
    if not _blank(row.get("present")) and str(row["present"]).strip().lower() not in _TRUTH:
        found.append(f"present is {row['present']!r}: true or false is needed")
    if not _blank(row.get("count")) and _counted(row["count"]) is None:
        found.append(f"count is {row['count']!r}: a whole number, 0 or more, is needed")
    return found


def _entity(row: Row) -> Entity:
    kind, term = EntityType(str(row["type"]).strip()), normalise_term(row["term"])
    label, present = row.get("label"), row.get("present")
    return Entity(
        id=f"{kind.value}/{term}",
        type=kind,
        term=term,
        label=None if _blank(label) else str(label).strip(),
        present=not negated(term) if _blank(present) else _TRUTH[str(present).strip().lower()],
        sides=_listed(row.get("sides")),
        zones=_listed(row.get("zones")),
        severities=_listed(row.get("severities")),
        count=None if _blank(row.get("count")) else _counted(row["count"]),
    )


def _counted(value: Any) -> int | None:
    """A count as a CSV, YAML or Parquet file may give it; None where it is no count."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() and number >= 0 else None


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value  # NaN of a Parquet column


def _listed(value: Any) -> tuple[str, ...]:
    if value is None or isinstance(value, float):
        return ()
    parts = value.split("|") if isinstance(value, str) else list(value)
    return tuple(dict.fromkeys(normalise_term(str(part)) for part in parts if str(part).strip()))


def _read_csv(path: Path) -> Iterable[tuple[int, Row]]:
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True)
    for row in reader:
        extra = row.pop(None, None)  # type: ignore[arg-type]
        if extra:
            raise ValueError(f"line {reader.line_num} has more cells than the header; put quotes around a comma")
        if any(not _blank(cell) for cell in row.values()):
            yield reader.line_num, row


def _read_items(data: Any) -> Iterable[tuple[int, Row]]:
    if isinstance(data, Mapping):
        data = data.get("entities")
    if data is None:
        return
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise ValueError("a list of mappings is needed, alone or under the key 'entities'")
    yield from enumerate(data, start=1)


def _read_yaml(path: Path) -> Iterable[tuple[int, Row]]:
    return _read_items(parse_yaml(path.read_text(encoding="utf-8"), str(path)))


def _read_json(path: Path) -> Iterable[tuple[int, Row]]:
    text = path.read_text(encoding="utf-8")
    return _read_items(json.loads(text) if text.strip() else None)


def _read_parquet(path: Path) -> Iterable[tuple[int, Row]]:
    from pyarrow import ArrowException, parquet

    try:
        return enumerate(parquet.read_table(path).to_pylist(), start=1)
    except ArrowException as error:
        raise ValueError(str(error)) from error


_READERS: Mapping[str, Callable[[Path], Iterable[tuple[int, Row]]]] = {
    ".csv": _read_csv,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
