"""WebDataset shards: byte-reproducible tars of samples out, a checked stream of samples in."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from storage.canonical import canonical_json
from storage.errors import CorruptShard
from storage.objects import ObjectStore
from storage.records import PairRow

_RECORD = tarfile.RECORDSIZE
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Sample:
    """One member group of a tar: ``<key>.png``, ``<key>.txt`` and ``<key>.json``.

    Args:
        key: sample id; no dot, since WebDataset takes what follows the first dot for the extension.
        png: the film.
        txt: the report as one text.
        json: the full `PairRow`, so that the tar alone can rebuild its index.
    """

    key: str
    png: bytes
    txt: str
    json: dict[str, Any]


def sample_of(row: PairRow, png: bytes) -> Sample:
    """The sample of a pair.

    Raises:
        ValueError: `png` is not the film that the row's ``png_sha256`` names.
    """
    if hashlib.sha256(png).hexdigest() != row.png_sha256:
        raise ValueError(f"sample {row.sample_id}: png_sha256 does not belong to this film")
    txt = f"FINDINGS: {row.findings}\n\nIMPRESSION: {row.impression}\n"
    return Sample(row.sample_id, png, txt, row.model_dump(mode="json"))


def write_tar(samples: Iterable[Sample]) -> bytes:
    """A tar in the order of `samples`; equal samples give equal bytes (no time, owner or mode of this machine).

    Raises:
        ValueError: a key that WebDataset would not give back, or that occurs twice.
    """
    out = io.BytesIO()
    seen: set[str] = set()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            if not sample.key.isascii() or "." in sample.key or "/" in sample.key or not 0 < len(sample.key) <= 90:
                raise ValueError(f"sample key {sample.key!r}: 1 to 90 ASCII characters without '.' and '/'")
            if sample.key in seen:
                raise ValueError(f"sample key {sample.key!r} occurs twice in one shard")
            seen.add(sample.key)
            for extension, data in _members(sample):
                header = tarfile.TarInfo(f"{sample.key}.{extension}")
                header.size, header.mode = len(data), 0o444
                tar.addfile(header, io.BytesIO(data))
    return out.getvalue()


def read_tar(data: bytes, name: str = "tar") -> list[Sample]:
    """All samples of one tar that is in memory.

    Raises:
        CorruptShard: see `read_samples`; `name` stands for the key.
    """
    return list(_samples(io.BytesIO(data), name))


def read_samples(
    store: ObjectStore,
    keys: Sequence[str],
    *,
    select: set[str] | None = None,
    shuffle_seed: int | None = None,
    buffer: int = 256,
) -> Iterator[Sample]:
    """Samples streamed from tars in the store, through the webdataset library.

    Args:
        store: where the tars are.
        keys: their keys, read in this order unless shuffled.
        select: ids of the samples to give; None gives all.
        shuffle_seed: shuffles the tars, and samples in a buffer; the same seed gives the same order.
        buffer: how many samples the shuffle holds in memory.

    Raises:
        ObjectMissing: a tar is not there.
        CorruptShard: a tar is cut off or damaged, a sample lacks a part, or a film is not the one its row names.
    """
    order = list(keys)
    if shuffle_seed is not None:
        random.Random(shuffle_seed).shuffle(order)
    samples = _stream(store, order, select)
    if shuffle_seed is None:
        return samples
    from webdataset import filters

    return iter(filters.shuffle(buffer, initial=buffer, seed=shuffle_seed)(samples))


def _stream(store: ObjectStore, keys: Sequence[str], select: set[str] | None) -> Iterator[Sample]:
    for key in keys:
        with store.open(key) as stream:
            for sample in _samples(stream, key):
                if select is None or sample.key in select:
                    yield sample


def _samples(stream: Any, key: str) -> Iterator[Sample]:
    from webdataset.tariterators import group_by_keys, tar_file_expander

    counted = _Counted(stream)
    members = 0
    try:
        for raw in group_by_keys(tar_file_expander([{"url": key, "stream": counted}])):
            sample = _sample(raw)
            members += sum(_padded(len(value)) + _BLOCK for name, value in raw.items() if name[0] != "_")
            yield sample
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CorruptShard(f"{key} is damaged: {_reason(error)}; {_REMEDY}") from error
    counted.drain()
    whole = -(-(members + 2 * _BLOCK) // _RECORD) * _RECORD
    if counted.count != whole:  # tarfile stops without a word at a damaged header
        raise CorruptShard(f"{key} is damaged: {counted.count} bytes, where its members make {whole}; {_REMEDY}")


_REMEDY = "compare its SHA-256 with the manifest and restore it, or make the version anew"


def _sample(raw: dict[str, Any]) -> Sample:
    missing = [part for part in ("png", "txt", "json") if part not in raw]
    if missing:
        raise ValueError(f"sample {raw['__key__']} has no {', '.join(missing)}")
    row = json.loads(raw["json"])
    expected = row.get("png_sha256")
    if expected is not None and hashlib.sha256(raw["png"]).hexdigest() != expected:
        raise ValueError(f"the film of sample {raw['__key__']} is not the one its row names")
    return Sample(raw["__key__"], raw["png"], raw["txt"].decode(), row)


def _members(sample: Sample) -> list[tuple[str, bytes]]:
    try:
        row = canonical_json(sample.json)
    except ValueError as error:
        raise ValueError(f"sample {sample.key}: its row does not fit JSON: {error}") from error
    return [("png", sample.png), ("txt", sample.txt.encode()), ("json", row.encode())]


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _reason(error: BaseException) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


class _Counted:
    """A stream that counts what was read from it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.count = stream, 0

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.count += len(block)
        return block

    def drain(self) -> None:
        while self.read(1 << 20):
            pass
