"""Load an entity bank: a built-in one, or a file of typed entities.

A file is CSV, YAML, JSON or Parquet with one entity a row. Columns: `type` (one of the five of RaTE-NER)
and `term`; optional `label` (a finding of the bank's label set, which gates and arms then use), `present`
(default: whether the term starts with a negation such as "no"), and `sides`, `zones`, `severities` (lists;
in a CSV separated by ``|``), and `count` (mentions in a corpus, for `plan.target`; those of duplicates add
up). Terms are normalised and duplicates dropped, since a bank mined from reports
has both (paper section 1). Text that could steer a chat model or a terminal is refused (`tasks.plan.terms`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import as_file, files
from typing import Any

from models.contracts import Entity, EntityType, ProgressCallback
from models.findings.label_sets import LabelSet, UnknownLabelSet, load
from models.findings.table_files import TableError
from models.typed import quoted
from tasks.plan.bank_files import REQUIRED, BankTable, read_table
from tasks.plan.errors import BankError
from tasks.plan.rules.constraints import negated
from tasks.plan.terms import LONGEST, normalise_term, unfit
from tasks.recipe.errors import did_you_mean
from tasks.recipe.fingerprint import BUILT_IN_BANKS
from tasks.recipe.schema import PlanSection

DEFAULT_LABEL_SET = "phantom"
SHOWN_PROBLEMS = 3
TYPES = tuple(kind.value for kind in EntityType)
TOLD_EVERY = 50_000
"""Rows between two calls of `on_progress`; a smaller bank is read without one."""

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class _Wrong(str):
    """What is wrong with a cell."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """A recipe's bank.

    Args:
        entities: all of them.
        label_set: what their labels are of, by name or file.
    """

    entities: tuple[Entity, ...]
    label_set: str


def label_set_of(plan: PlanSection) -> str:
    """The label set of a recipe's bank, by name or file."""
    return plan.label_set or DEFAULT_LABEL_SET


def load_bank(
    bank: str, on_progress: ProgressCallback | None = None, label_set: str = DEFAULT_LABEL_SET
) -> tuple[Entity, ...]:
    """The entities of bank `bank`: a built-in one, or the path of a file.

    Args:
        bank: name or path.
        label_set: what the labels of a file are of; a built-in bank has that of its name.
        on_progress: called with ``entity bank``, the rows that are read, and the rows there are.

    Raises:
        BankError: no such file or format, no entity in it, or bad rows (counted, and the first named).
    """
    if bank in BUILT_IN_BANKS:
        if label_set != bank:
            raise BankError(f"plan.label_set is {label_set!r}, but the labels of bank {bank!r} are of {bank!r}")
        return _built_in(bank)
    try:
        labels = load(label_set)
    except (UnknownLabelSet, TableError) as error:
        raise BankError(f"plan.label_set: {error}") from error
    table = read_table(bank)
    if not table.rows:
        raise BankError(f"entity bank {bank} is empty: it needs rows with the columns {' and '.join(REQUIRED)}")
    return _entities(table, bank, labels, on_progress or _silent)


@cache
def _built_in(bank: str) -> tuple[Entity, ...]:
    with as_file(files("models.findings") / "banks" / f"{bank}.csv") as path:
        return _entities(read_table(str(path)), bank, load(bank), _silent)


def _silent(*_: object) -> None:
    pass


def _entities(table: BankTable, bank: str, labels: LabelSet, on_progress: ProgressCallback) -> tuple[Entity, ...]:
    columns = _columns(labels)
    cells: list[list[Any]] = []
    if len(table.rows) < TOLD_EVERY:
        on_progress = _silent
    for number, (name, read) in enumerate(columns.items()):
        on_progress("entity bank", number * len(table.rows) // (len(columns) + 2), len(table.rows))
        values = table.columns.get(name)
        cells.append([None] * len(table.rows) if values is None else _read_column(values, read))
    _refuse(table.rows, cells, bank)
    entities: dict[tuple[EntityType, str], Entity] = {}
    done = len(columns) * len(table.rows) // (len(columns) + 2)
    for at, entity in enumerate(_rows(cells)):
        key = entity.type, entity.term.casefold()
        first = entities.setdefault(key, entity)
        if first is not entity and entity.count is not None:
            entities[key] = replace(first, count=entity.count + (first.count or 0))
        if at % TOLD_EVERY == 0:
            on_progress("entity bank", done + at * 2 // (len(columns) + 2), len(table.rows))
    on_progress("entity bank", len(table.rows), len(table.rows))
    return tuple(entities.values())


def _rows(cells: Sequence[Sequence[Any]]) -> Iterator[Entity]:
    for kind, term, label, present, sides, zones, severities, count in zip(*cells, strict=True):
        yield Entity(
            f"{kind}/{term}",
            kind,
            term,
            label,
            not negated(term) if present is None else present,
            sides or (),
            zones or (),
            severities or (),
            count,
        )


def _read_column(values: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """The values of a column as they are meant; equal cells are read once, but for terms, which seldom repeat."""
    if read is _term:
        return list(map(read, values))
    known: dict[Any, Any] = {}
    found = []
    for value in values:
        key = value if value.__class__ is str or value is None else repr(value)  # 1 and True are not one value
        if key not in known:
            known[key] = read(value)
        found.append(known[key])
    return found


def _refuse(rows: Sequence[int], cells: Sequence[Sequence[Any]], bank: str) -> None:
    wrong: dict[int, list[str]] = {}
    for column in cells:
        for at, value in enumerate(column):
            if value.__class__ is _Wrong:
                wrong.setdefault(at, []).append(value)
    if not wrong:
        return
    shown = "; ".join(f"row {rows[at]}: {', '.join(wrong[at])}" for at in sorted(wrong)[:SHOWN_PROBLEMS])
    more = len(wrong) - SHOWN_PROBLEMS
    counted = f"{len(wrong)} of {len(rows)} rows are refused: " if len(wrong) > 1 else ""
    raise BankError(f"entity bank {bank}, {counted}{shown}{f'; and {more} more rows' if more > 0 else ''}")


def _kind(value: Any) -> Any:
    said = value.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(value, str) else ""
    if said in TYPES:
        return EntityType(said)
    near = did_you_mean(str(value)[:LONGEST], TYPES)
    return _Wrong(f"unknown entity type {quoted(value)}{near} Known: {', '.join(TYPES)}")


def _term(value: Any) -> Any:
    if value.__class__ is not str or len(value) > LONGEST or not value.isascii() or not value.isprintable():
        wrong = _wrong_term(value)
        if wrong:
            return wrong
    elif "<" in value or "[" in value or "##" in value:
        reason = unfit(value)
        if reason:
            return _Wrong(f"the term {quoted(value)} {reason}")
    return normalise_term(value) or _Wrong("the term is empty")


def _wrong_term(value: Any) -> _Wrong | None:
    if _blank(value):
        return _Wrong("the term is empty")
    if not isinstance(value, str):
        return _Wrong(f"the term is {quoted(value)}, not text")
    if len(value) > LONGEST:
        return _Wrong(f"the term has {len(value)} characters, {LONGEST} are allowed: {value[:40]!r}...")
    reason = unfit(value)
    return _Wrong(f"the term {value!a} {reason}") if reason else None


def _label_of(labels: LabelSet) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if _blank(value):
            return None
        said = str(value).strip()
        found = labels.find(said) if len(said) <= LONGEST else None
        if found is not None:
            return found.name
        near = did_you_mean(said[:LONGEST], labels.names)
        return _Wrong(
            f"unknown finding {quoted(value)}{near} Leave `label` empty for a finding outside label set {labels.name}"
        )

    return read


def _present(value: Any) -> Any:
    if _blank(value):
        return None
    said = _TRUTH.get(str(value).strip().lower())
    return _Wrong(f"present is {quoted(value)}: true or false is needed") if said is None else said


def _count(value: Any) -> Any:
    """A count as a CSV, YAML or Parquet file may give it; None where there is none."""
    if _blank(value):
        return None
    try:
        number = float(value) if not isinstance(value, bool) else -1
    except (TypeError, ValueError, OverflowError):
        number = -1
    if number != number or not 0 <= number < 2**53 or not float(number).is_integer():
        return _Wrong(f"count is {quoted(value)}: a whole number, 0 or more, is needed")
    return int(number)


def _listed(name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if _blank(value):
            return ()
        if not isinstance(value, str | list | tuple):
            return _Wrong(f"{name} is {quoted(value)}: a list of words is needed")
        reason = unfit(value if isinstance(value, str) else "|".join(map(str, value)))
        if reason:
            return _Wrong(f"{name} is {ascii(value)[:LONGEST]}, which {reason}")
        parts = value.split("|") if isinstance(value, str) else value
        found = tuple(dict.fromkeys(normalise_term(str(part)) for part in parts if str(part).strip()))
        long = next((part for part in found if len(part) > LONGEST), None)
        return _Wrong(f"{name} has a word of {len(long)} characters, {LONGEST} are allowed") if long else found

    return read


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value  # NaN of a Parquet column


def _columns(labels: LabelSet) -> dict[str, Callable[[Any], Any]]:
    """How each column is read, in the order of `_rows`."""
    return {
        "type": _kind,
        "term": _term,
        "label": _label_of(labels),
        "present": _present,
        "sides": _listed("sides"),
        "zones": _listed("zones"),
        "severities": _listed("severities"),
        "count": _count,
    }
