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
from storage.tars import REMEDY, Group, proper_key, read_groups


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
            if not proper_key(sample.key):
                raise ValueError(
                    f"sample key {sample.key!r}: 1 to 90 printable ASCII characters without '.', '/', '\\'"
                )
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
    """Samples streamed from tars in the store.

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
    for group in read_groups(stream, key):
        try:
            sample = sample_in(group)
        except ValueError as error:
            raise CorruptShard(f"{key} is damaged: {error}; {REMEDY}") from error
        yield sample


def sample_in(group: Group) -> Sample:
    """The sample that a tar's member group holds.

    Raises:
        ValueError: a part is missing, or is not what it should be; the message names the sample.
    """
    missing = [part for part in ("png", "txt", "json") if part not in group.parts]
    if missing:
        raise ValueError(f"sample {group.key} has no {', '.join(missing)}")
    png, txt, text = (group.parts[part].data for part in ("png", "txt", "json"))
    try:
        row, report = json.loads(text), txt.decode()
        expected = row.get("png_sha256")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"sample {group.key} cannot be read: {error}") from error
    if expected is not None and hashlib.sha256(png).hexdigest() != expected:
        raise ValueError(f"the film of sample {group.key} is not the one its row names")
    return Sample(group.key, png, report, row)


def _members(sample: Sample) -> list[tuple[str, bytes]]:
    try:
        row = canonical_json(sample.json)
    except ValueError as error:
        raise ValueError(f"sample {sample.key}: its row does not fit JSON: {error}") from error
    return [("png", sample.png), ("txt", sample.txt.encode()), ("json", row.encode())]
