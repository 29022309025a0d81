"""Ways in which files go wrong: by bytes, by values, by what stands in their place."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

Place = Callable[[Path], None]
"""Puts something under a path where a good file stands."""

EXTREMES: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**30, 1e308, "", " ", "../../../etc/passwd", "/etc/passwd", "a\\..\\b", "a\x1b[2Jb",
    "\u202eevil", "x" * 5000, [], {}, [[]], {"a": {"b": 1}}, "nan", "1e999", "0x10", "\x00",
)  # fmt: skip


Data = bytes | Callable[[], bytes]
"""Contents of a file; large ones are made when they are needed."""


def written(data: Data) -> Place:
    """Other bytes under the same name."""

    def place(path: Path) -> None:
        remove(path)
        path.write_bytes(data() if callable(data) else data)

    return place


def after(first: bytes, data: Data) -> Data:
    """The same contents with something before them."""
    return (lambda: first + data()) if callable(data) else first + data


def remove(path: Path) -> None:
    """Whatever is there, it goes."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def other_things(path_is_needed: bool = True) -> Iterator[tuple[str, Place]]:
    """What is no regular file."""

    def instead(make: Callable[[Path], None]) -> Place:
        def place(path: Path) -> None:
            remove(path)
            make(path)

        return place

    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(3 << 30)

    yield "a folder", instead(Path.mkdir)
    yield "a pipe", instead(lambda path: os.mkfifo(path))
    yield "a link to itself", instead(lambda path: path.symlink_to(path.name))
    yield "a link to nothing", instead(lambda path: path.symlink_to("nowhere"))
    yield "a link to a device", instead(lambda path: path.symlink_to("/dev/zero"))
    yield "three sparse gigabytes", instead(sparse)
    if path_is_needed:
        yield "gone", remove


def bytewise(data: bytes, random: Random, times: int) -> Iterator[tuple[str, bytes]]:
    """The file cut short, with bits flipped, filled up, and in other encodings."""
    yield "empty", b""
    yield "one byte", data[:1]
    yield "zeros", bytes(len(data))
    yield "all bits set", b"\xff" * 200
    yield "doubled", data + data
    yield "with a mark", b"\xef\xbb\xbf" + data
    yield "a web page", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
    yield "a pointer of LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
    for number in range(times):
        at = random.randrange(len(data))
        yield f"{number} cut at {at}", data[:at]
        flipped = bytearray(data)
        for _ in range(1 + number % 4):
            flipped[random.randrange(len(data))] ^= 1 << random.randrange(8)
        yield f"bits flipped {number}", bytes(flipped)
        yield f"{number} bytes put in at {at}", data[:at] + random.randbytes(9) + data[at:]


def as_text(text: str) -> Iterator[tuple[str, bytes]]:
    """The same text in other encodings, and with what no text should hold."""
    yield "UTF-16 without a mark", text.encode("utf-16-le")
    yield "UTF-32", text.encode("utf-32")
    yield "a byte of Latin-1", text.encode() + b"\xe9"
    yield "a zero byte", text.encode()[:20] + b"\0" + text.encode()[20:]
    yield "a surrogate", text.encode() + b"\xed\xa0\x80"
    yield "escape codes", text.encode() + b"\x1b[2J\x1b]0;title\x07"


def documents(good: Any, random: Random, times: int) -> Iterator[tuple[str, Any]]:
    """JSON values near `good`: fields left out, added, retyped and driven to extremes."""
    paths = list(_paths(good))
    for number in range(times):
        path = random.choice(paths)
        name = f"{number} {'.'.join(map(str, path)) or 'all'}"
        if number % 4 == 0 and path:
            yield f"without {name}", changed(good, path, _GONE)
        elif number % 4 == 1:
            value = random.choice(EXTREMES)
            yield f"{name} is {str(value)[:20]!r}", changed(good, path, value)
        elif number % 4 == 2:
            yield f"{name} retyped", changed(good, path, _retyped(_at(good, path)))
        else:
            added = changed(good, path, {"surprise": 1}) if random.random() < 0.3 else _added(good, random)
            yield f"{name} surprised", added
    yield "no mapping", [good]
    yield "nothing", None
    yield "a number", 7


def hostile_json(text: str) -> Iterator[tuple[str, Data]]:
    """JSON texts that no value makes."""
    body = text.strip()[1:]
    yield "deep lists", lambda: b'{"shards":' + b"[" * 100_000 + b"]" * 100_000 + b"," + body.encode()
    yield "deep mappings", (b'{"models":' * 900) + b"1" + b"}" * 900
    yield "a million lists", lambda: b'{"shards":[' + b"[]," * 1_000_000 + b"[]]," + body.encode()
    yield "twenty million lists", lambda: b"[" + b"[]," * 20_000_000 + b"[]]"
    yield "a key twice", ('{"version":"v-0",' + body).encode()
    yield "not a number", ('{"asked":NaN,' + body).encode()
    yield "infinity", ('{"asked":-Infinity,' + body).encode()
    yield "beyond all numbers", ('{"asked":1e999,' + body).encode()
    yield "five thousand digits", ('{"asked":' + "9" * 5000 + "," + body).encode()
    yield "a long text", lambda: json.dumps({"version": "x" * 5_000_000}).encode()
    yield "escaped surrogates", ('{"licence":"\\ud800",' + body).encode()
    yield "trailing words", (text + " and more").encode()
    yield "two documents", (text + text).encode()


_GONE = object()


def changed(good: Any, path: tuple[Any, ...], value: Any) -> Any:
    """`good` with another value at `path`."""
    if not path:
        return value
    new = copy.deepcopy(good)
    inner = _at(new, path[:-1])
    if value is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return new


def _added(good: Any, random: Random) -> Any:
    new = copy.deepcopy(good)
    if isinstance(new, dict):
        new[random.choice(["surprise", "__class__", "a.b", ""])] = random.choice(EXTREMES)
    return new


def _retyped(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return [value]
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return len(value)
    return {"0": value[0]} if isinstance(value, list) and value else [value]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
