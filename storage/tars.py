"""Read shard tars that may be damaged or hostile: strict, streaming, and never more in memory than one sample."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LARGEST = {"png": 64 << 20, "txt": 1 << 20, "json": 4 << 20}
"""Bytes that a member may have; what a header claims beyond that is not read."""

_BLOCK, _RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
}


class DamagedTar(ValueError):
    """What is wrong with a tar; the message names the member."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a tar: its bytes, and where in the tar they begin."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one sample, by extension."""

    key: str
    parts: dict[str, Member]


def proper_key(key: str) -> bool:
    """Whether WebDataset gives `key` back as it is, and no file system takes it for a path."""
    return key.isascii() and key.isprintable() and not set(key) & set("./\\") and 0 < len(key) <= 90


def read_groups(stream: Any) -> Iterator[Group]:
    """The samples of one uncompressed tar, in its order.

    Only what `storage.shards.write_tar` writes is taken: plain files ``<sample>.png``, ``.txt`` and ``.json``, a
    sample's files side by side, no name twice, nothing after the end. So a path that climbs out, a link, a device,
    a compressed bomb or a header that claims gigabytes is refused before it can do anything.

    Args:
        stream: the tar's bytes, read once from its start.

    Raises:
        DamagedTar: the message names the member and what is wrong with it.
    """
    done: set[str] = set()
    key = ""
    parts: dict[str, Member] = {}
    for member, data in _files(stream):
        stem, _, extension = member.name.partition(".")
        if stem != key:
            if parts:
                yield Group(key, parts)
                done.add(key)
            key, parts = stem, {}
        if stem in done or extension in parts:
            raise DamagedTar(f"member {member.name!r} is there twice")
        parts[extension] = Member(member.offset_data, data)
    if parts:
        yield Group(key, parts)


def _files(stream: Any) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    offset = 0
    while True:
        block = _read(stream, _BLOCK)
        try:
            header = _plain_file(block) or tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            return _check_end(stream, offset + _BLOCK)
        except tarfile.HeaderError as error:  # type: ignore[attr-defined]
            raise DamagedTar(f"at byte {offset} there is no tar header ({error})") from error
        _check(header)
        data = _read(stream, header.size)
        padding = -header.size % _BLOCK
        if len(data) < header.size or len(_read(stream, padding)) < padding:
            raise DamagedTar(f"member {header.name!r} is cut off: its header says {header.size} bytes")
        header.offset_data = offset + _BLOCK
        offset += _BLOCK + header.size + padding
        yield header, data


def _plain_file(block: bytes) -> tarfile.TarInfo | None:
    """The header of a plain file as we write it, read four times as fast; None leaves it to the library."""
    name = block[:100].rstrip(b"\0")
    size, said = block[124:135], block[148:154]
    if not (size.isdigit() and said.isdigit() and name.isascii()) or block[156:157] != b"0" or any(block[345:500]):
        return None
    try:
        if int(said, 8) != 256 + sum(block[:148]) + sum(block[156:]):
            return None
        header = tarfile.TarInfo(name.decode("ascii"))
        header.size = int(size, 8)
    except ValueError:  # digits, but not octal ones
        return None
    return header


def _check(header: tarfile.TarInfo) -> None:
    """Refuse a member before a byte of it is read."""
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        kind = _KINDS.get(header.type, f"of type {header.type!r}")
        raise DamagedTar(f"member {header.name!r} is {kind}: only plain files belong in a shard")
    key, _, extension = header.name.partition(".")
    if not proper_key(key) or extension not in LARGEST:
        raise DamagedTar(f"member {header.name!r} is not <sample>.png, <sample>.txt or <sample>.json")
    if not 0 <= header.size <= LARGEST[extension]:
        raise DamagedTar(f"member {header.name!r} claims {header.size} bytes, the most is {LARGEST[extension]}")


def _check_end(stream: Any, offset: int) -> None:
    """Zeros up to the next full record, and no more: a tar cut between members would look whole otherwise."""
    rest = -(-(offset + _BLOCK) // _RECORD) * _RECORD - offset
    if _read(stream, rest + 1) != bytes(rest):
        raise DamagedTar(f"its end, from byte {offset}, is cut off or followed by something else")


def _read(stream: Any, size: int) -> bytes:
    """Exactly `size` bytes, fewer only at the end of the stream."""
    block = stream.read(size)
    if len(block) == size or not block:
        return block
    blocks = [block]
    while size > (have := sum(map(len, blocks))) and (block := stream.read(size - have)):
        blocks.append(block)
    return b"".join(blocks)
