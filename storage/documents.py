"""JSON documents that may be damaged or hostile: bounded in size, depth and number of values, no key given twice."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from storage.errors import StoreError
from storage.objects import ObjectStore

MOST_BYTES = 64 << 20
MOST_VALUES = 6_000_000
MOST_DEPTH = 64
_MOST_DIGITS = 64


class BadDocument(StoreError):
    """A stored document is no JSON that this program takes; the message gives the reason."""


def read_bounded(store: ObjectStore, key: str, most: int = MOST_BYTES) -> bytes:
    """The object's bytes, of which `most` are taken.

    Raises:
        ObjectMissing: there is none.
        BadDocument: it is larger; no more than `most` bytes of it were read.
    """
    with store.open(key) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise BadDocument(f"it is larger than {most} bytes")
    return data


def parse_json(data: bytes | str) -> Any:
    """The value of a JSON text.

    Raises:
        BadDocument: not UTF-8, not JSON, a key given twice, NaN or infinity, a number of more than 64 digits, deeper
            than `MOST_DEPTH`, or more than `MOST_VALUES` values.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        if text.count(",") + text.count("[") + text.count("{") > MOST_VALUES:
            raise BadDocument(f"it holds more than {MOST_VALUES} values")
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_number, parse_int=_int, parse_float=_float
        )
    except UnicodeDecodeError as error:
        raise BadDocument(f"byte {error.start} is not UTF-8 text") from error
    except RecursionError:
        raise BadDocument(f"it is nested deeper than {MOST_DEPTH} levels") from None
    except ValueError as error:
        raise BadDocument(f"it is not JSON: {error}") from error
    _check_depth(value)
    return value


def first_problem(error: ValidationError) -> str:
    """What a validation found, in one line: the first field with its problem, and how many more there are."""
    first, *more = error.errors(include_url=False)
    place = ".".join(map(str, first["loc"]))
    text = first["msg"].removeprefix("Value error, ")
    rest = f" (and {len(more)} more problems)" if more else ""
    return f"{place}: {text}{rest}" if place else f"{text}{rest}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise BadDocument(f"key {twice[:80]!r} is given twice")
    return found


def _no_number(name: str) -> Any:
    raise BadDocument(f"{name} is no JSON number")


def _int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise BadDocument(f"a number has {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise BadDocument(f"{digits[:_MOST_DIGITS]} is beyond the range of numbers")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise BadDocument(f"it is nested deeper than {MOST_DEPTH} levels")
