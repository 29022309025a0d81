"""Hostile tars are refused by name, before they can do anything, and in little memory."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from storage.errors import CorruptShard
from storage.objects import ObjectStore
from storage.png import MOST_PIXELS, decode_png
from storage.shards import Sample, read_samples, write_tar
from storage.tars import LARGEST, DamagedTar, read_groups

GIB = 1 << 30


def file(name: str, data: bytes = b"x", **header: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member with `data`, whose header may lie."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in header.items():
        setattr(info, field, value)
    return info, data


def packed(*members: tuple[tarfile.TarInfo, bytes], format: Literal[0, 1, 2] = tarfile.GNU_FORMAT) -> bytes:
    """A tar made by hand: headers and data as they are, and an end."""
    blocks = []
    for info, data in members:
        blocks += [info.tobuf(format, "utf-8", "surrogateescape"), data, bytes(-len(data) % 512)]
    body = b"".join(blocks) + bytes(1024)
    return body + bytes(-len(body) % tarfile.RECORDSIZE)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "path that climbs out": (packed(file("../../etc/passwd.png")), r"'\.\./\.\./etc/passwd\.png' is not <sample>"),
    "absolute path": (packed(file("/etc/passwd.txt")), "'/etc/passwd.txt' is not"),
    "path for another system": (packed(file("..\\run.png")), "run.png' is not"),
    "hidden file": (packed(file(".bashrc.txt")), "'.bashrc.txt' is not"),
    "symbolic link": (
        packed(file("a.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "'a.png' is a symbolic link",
    ),
    "hard link": (packed(file("a.png", b"", type=tarfile.LNKTYPE, linkname="b.png")), "'a.png' is a hard link"),
    "character device": (
        packed(file("null.png", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
        "'null.png' is a character device",
    ),
    "block device": (
        packed(file("disk.png", b"", type=tarfile.BLKTYPE, devmajor=8, devminor=0)),
        "'disk.png' is a block device",
    ),
    "pipe": (packed(file("wait.png", b"", type=tarfile.FIFOTYPE)), "'wait.png' is a pipe"),
    "folder": (packed(file("a.png", b"", type=tarfile.DIRTYPE)), "'a.png/?' is a folder"),
    "sparse file": (packed(file("a.png", b"", type=tarfile.GNUTYPE_SPARSE)), "of type b'S'"),
    "name in a pax header": (
        packed(file("ü" * 60 + ".png"), format=tarfile.PAX_FORMAT),
        "of type b'x'",
    ),
    "4 GB header claim": (packed(file("big.png", size=4 * GIB)), f"'big.png' claims {4 * GIB} bytes"),
    "claim beyond octal": (packed(file("big.png", size=1 << 60)), f"'big.png' claims {1 << 60} bytes"),
    "negative size": (packed(file("a.png", size=-1)), "'a.png' claims -1 bytes"),
    "claim just above the most": (packed(file("a.txt", size=LARGEST["txt"] + 1)), "'a.txt' claims"),
    "claim of more than there is": (packed(file("a.png", size=50_000)), "'a.png' is cut off"),
    "duplicate file": (packed(file("a.png"), file("a.txt"), file("a.png")), "'a.png' is there twice"),
    "duplicate key": (
        packed(*(file(f"{key}.{kind}", b"{}") for key in "aba" for kind in ("png", "txt", "json"))),
        "'a.png' is there twice",
    ),
    "non-UTF-8 name": (packed(file("f\udcffilm.png")), r"'f\\udcffilm.png' is not"),
    "control character in a name": (packed(file("a\x1b[2J.png")), r"x1b\[2J.png' is not"),
    "program": (packed(file("a.exe")), "'a.exe' is not"),
    "second extension": (packed(file("a.tar.gz")), "'a.tar.gz' is not"),
    "something after the end": (packed(file("a.png")) + b"#!/bin/sh", "followed by something else"),
    "compressed bomb": (gzip.compress(bytes(50 << 20)), "no tar header"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_tar_is_refused_by_name_in_little_memory(attack: str) -> None:
    data, told = HOSTILE[attack]
    tracemalloc.start()
    with pytest.raises(DamagedTar, match=told):
        list(read_groups(io.BytesIO(data)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (1 << 20)


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_reader_of_a_dataset_names_the_tar_too(local_store: ObjectStore, attack: str) -> None:
    local_store.put("pairs/00003.tar", HOSTILE[attack][0])
    with pytest.raises(CorruptShard, match=r"pairs/00003\.tar is damaged: .*" + HOSTILE[attack][1]):
        list(read_samples(local_store, ["pairs/00003.tar"]))


def test_a_stream_that_never_ends_is_left_at_the_end_of_the_tar(make_pair: Callable[..., Sample]) -> None:
    class Endless(io.RawIOBase):
        """A tar, then zeros for ever."""

        def __init__(self, data: bytes) -> None:
            self.data, self.given = io.BytesIO(data), 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0, "asked for everything"
            self.given += size
            return (self.data.read(size) + bytes(size))[:size]

    data = write_tar([make_pair(1)])
    stream = Endless(data)
    with pytest.raises(DamagedTar, match="followed by something else"):
        list(read_groups(stream))
    assert stream.given <= len(data) + 1


def test_a_stream_that_gives_little_at_a_time_is_read_all_the_same(make_pair: Callable[..., Sample]) -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    data = write_tar(make_pair(number) for number in range(2))
    groups = list(read_groups(Dripping(data)))
    assert [group.key for group in groups] == ["sample-00000", "sample-00001"]
    for group in groups:
        for member in group.parts.values():
            assert data[member.offset : member.offset + len(member.data)] == member.data


def test_a_tar_of_its_writer_passes(make_pair: Callable[..., Sample]) -> None:
    assert [group.key for group in read_groups(io.BytesIO(write_tar([])))] == []
    full = write_tar(make_pair(number) for number in range(40))
    assert len(list(read_groups(io.BytesIO(full)))) == 40


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_rows(width: int, height: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9)
    for _ in range(height):
        yield packer.compress(bytes(width + 1))
    yield packer.flush()


@pytest.fixture(scope="module")
def hundred_megapixels() -> bytes:
    """A black film of 10,000 x 10,000 pixels: 100 kB on disk, 100 MB decoded."""
    head = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    rows = b"".join(png_rows(10_000, 10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_film_of_a_hundred_megapixels_is_refused_before_it_is_decoded(hundred_megapixels: bytes) -> None:
    assert len(hundred_megapixels) < 200_000
    tracemalloc.start()
    with pytest.raises(CorruptShard, match="10000 x 10000 pixels is refused"):
        decode_png(hundred_megapixels)
    assert tracemalloc.get_traced_memory()[1] < (1 << 20)
    tracemalloc.stop()


def test_the_largest_film_is_taken() -> None:
    width, height = 16_000, MOST_PIXELS // 16_000
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"".join(png_rows(width, height)))
    assert decode_png(data + chunk(b"IEND", b"")).shape == (height, width)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(100), b"\xff\xd8\xff\xe0" + bytes(100)])
def test_what_is_no_png_is_not_given_to_a_decoder(data: bytes) -> None:
    with pytest.raises(CorruptShard, match="not a PNG"):
        decode_png(data)
