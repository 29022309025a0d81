"""Lists of records as Parquet bytes and back.

Columns follow the record's fields: scalars and nested records are native Parquet types, so that any reader
can query gates or labels; free-form values (``dict[str, Any]``) are canonical JSON strings.
"""

# pyarrow's stubs leave the types of some functions partly open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import json
import types
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, read_bounded
from storage.errors import CorruptShard
from storage.objects import ObjectStore
from storage.records import Record

R = TypeVar("R", bound=Record)
MOST_BYTES = 256 << 20
_BATCH = 256
_LEAST_MOST, _MOST_GROWTH = 4 << 20, 500
"""Bytes that a table may unpack to: a few megabytes, and so many for each byte of the file."""
_SCALARS: dict[Any, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
}


def to_parquet(rows: Sequence[R], metadata: Mapping[str, str] | None = None, *, kind: type[R] | None = None) -> bytes:
    """Parquet bytes; equal rows and metadata give equal bytes.

    Args:
        rows: records of one type.
        metadata: key-value metadata of the file.
        kind: the record type; needed when `rows` may be empty.

    Raises:
        ValueError: empty rows without `kind`, or a number too large for 64 bits (the message names the row).
    """
    kind = kind or (type(rows[0]) if rows else None)
    if kind is None:
        raise ValueError("an empty table needs `kind`, the type of its records")
    schema = _schema(kind)
    plain = [_pack(row) for row in rows]
    try:
        table = pa.Table.from_pylist(plain, schema=schema)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise ValueError(f"{kind.__name__} rows do not fit their table: {_first_bad(plain, schema)}{error}") from error
    table = table.replace_schema_metadata({key.encode(): value.encode() for key, value in (metadata or {}).items()})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", version="2.6")
    return sink.getvalue()


def read_table_object(store: ObjectStore, key: str) -> bytes:
    """The bytes of a Parquet object, which no table of this project exceeds.

    Raises:
        ObjectMissing: there is none.
        CorruptShard: it is larger than `MOST_BYTES`.
    """
    try:
        return read_bounded(store, key, MOST_BYTES)
    except BadDocument as error:
        raise CorruptShard(f"{store.uri(key)} is no table: {error}") from error


def from_parquet(data: bytes, kind: type[R]) -> list[R]:
    """The records in Parquet bytes.

    Raises:
        CorruptShard: not Parquet, not of this type, or more than `data` can honestly hold.
    """
    with _corrupt(f"not a table of {kind.__name__}"):
        rows = _read(data).to_pylist(maps_as_pydicts="strict")
        return [kind.model_validate(_unpack(row, kind)) for row in rows]


def read_column(data: bytes, name: str) -> list[Any]:
    """One column of Parquet bytes.

    Raises:
        CorruptShard: not Parquet, or without that column.
    """
    with _corrupt(f"not a table with column {name!r}"):
        return _read(data, [name]).column(name).to_pylist()


def read_columns(data: bytes, names: list[str]) -> dict[str, list[Any]]:
    """Some columns of Parquet bytes, by name.

    Raises:
        CorruptShard: not Parquet, or without one of them.
    """
    with _corrupt(f"not a table with columns {', '.join(names)}"):
        table = _read(data, names)
        return {name: table.column(name).to_pylist() for name in names}


def table_metadata(data: bytes) -> dict[str, str]:
    """The key-value metadata of Parquet bytes.

    Raises:
        CorruptShard: not Parquet.
    """
    with _corrupt("not a Parquet table"):
        found = pq.read_schema(io.BytesIO(data)).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}


def check_claims(data: bytes) -> int:
    """The bytes that a table of this size may unpack to, for readers of their own.

    Raises:
        ValueError, ArrowException, OSError: not Parquet, or its footer claims more than that.
    """
    most = _LEAST_MOST + _MOST_GROWTH * len(data)
    footer = pq.read_metadata(io.BytesIO(data))
    claimed = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    if claimed > most or footer.num_rows > most:
        raise ValueError(f"{len(data)} bytes claim to hold {footer.num_rows} rows in {claimed} bytes")
    return most


def _read(data: bytes, columns: list[str] | None = None) -> pa.Table:
    """The table in Parquet bytes, decoded a few rows at a time, so that a bomb is met before it fills the memory."""
    most = check_claims(data)
    batches: list[pa.RecordBatch] = []
    size = 0
    with pq.ParquetFile(io.BytesIO(data)) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
            size += batch.nbytes
            if size > most:
                raise ValueError(f"{len(data)} bytes unpack to more than {most}")
            batches.append(batch)
        if batches:
            return pa.Table.from_batches(batches)
        schema = cast("Iterable[Any]", file.schema_arrow)
        return pa.schema([field for field in schema if not columns or field.name in columns]).empty_table()


@contextmanager
def _corrupt(what: str) -> Generator[None, None, None]:
    """Whatever the readers of a damaged file raise becomes one `CorruptShard`, in one line."""
    try:
        yield
    except ValidationError as error:
        raise CorruptShard(f"{what}: {first_problem(error)}") from error
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise CorruptShard(f"{what}: {' '.join(str(error).split()) or type(error).__name__}") from error


@cache
def _schema(kind: type[Record]) -> pa.Schema:
    return pa.schema([_field(name, info.annotation) for name, info in kind.model_fields.items()])


def _field(name: str, annotation: Any) -> pa.Field[Any]:
    inner, optional = _optional(annotation)
    return pa.field(name, _type(name, inner), nullable=optional)


def _type(name: str, annotation: Any) -> pa.DataType:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if get_origin(annotation) is Literal:
        return _SCALARS[type(get_args(annotation)[0])]
    if _free_form(annotation):
        return pa.string()
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return pa.struct(list(_schema(annotation)))
    if get_origin(annotation) is list:
        return pa.list_(_item("element", _type(name, get_args(annotation)[0])))
    if get_origin(annotation) is dict:
        return pa.map_(pa.string(), _item("value", _type(name, get_args(annotation)[1])))
    raise TypeError(f"field {name!r}: {annotation} has no Parquet type here")


def _item(name: str, kind: pa.DataType) -> Any:
    """An item's field; the stubs of pyarrow take a type only, the library a field as well."""
    return pa.field(name, kind, nullable=False)


def _optional(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        if len(inner) == 1:
            return inner[0], True
    return annotation, False


def _free_form(annotation: Any) -> bool:
    """Whether a value of this type may be anything, and so becomes JSON; a list of such becomes one string."""
    return annotation is Any or any(_free_form(part) for part in get_args(annotation) if part is not str)


def _pack(row: Record) -> dict[str, Any]:
    plain = row.model_dump()
    for name, value in row:  # what JSON leaves out is a column all the same
        plain.setdefault(name, value)
    return _each_json_field(type(row), plain, canonical_json)


def _unpack(row: dict[str, Any], kind: type[Record]) -> dict[str, Any]:
    return _each_json_field(kind, row, json.loads)


def _each_json_field(kind: type[Record], row: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    for name in _json_fields(kind):
        if row.get(name) is not None:
            row[name] = change(row[name])
    return row


@cache
def _json_fields(kind: type[Record]) -> list[str]:
    return [name for name, info in kind.model_fields.items() if _free_form(_optional(info.annotation)[0])]


def _first_bad(plain: list[dict[str, Any]], schema: pa.Schema) -> str:
    """Where the trouble is: the first row that does not fit alone."""
    for number, row in enumerate(plain):
        try:
            pa.Table.from_pylist([row], schema=schema)
        except (pa.ArrowException, OverflowError, UnicodeError):
            return f"row {number} ({row.get('sample_id', 'no id')}): "
    return ""
