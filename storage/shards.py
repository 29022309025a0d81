"""WebDataset shards: byte-reproducible tars of samples out, a checked stream of samples in.

The JSON of every sample has the same keys, each with a text or a number: what has a shape of its own (labels,
mentions, gates ...) is JSON in a text. Readers such as Hugging Face's datasets take the types from the first samples,
and fail on, or drop, an attribute or a finding that none of those has. Tars that hold these things as they are, as
versions before this one wrote them, are read as well.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import first_problem
from storage.errors import CorruptShard
from storage.objects import ObjectStore
from storage.read_ahead import Readable, read_ahead
from storage.records import PairRow
from storage.tars import Group, proper_key, read_groups

SHAPED = ("axes", "boxes", "entities", "gates", "labels", "masks", "mentions", "provenance")
"""The fields of a `PairRow` that are JSON in a text in the JSON of a sample."""

UNTOLD = {"patient": "", "study": "", "view": "", "sex": "", "age": -1.0, "split": "", "labeller": ""}
"""Values in the JSON of a sample for facts that its archive does not give: the type of a field never changes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One member group of a tar: ``<key>.png``, ``<key>.txt`` and ``<key>.json``.

    Args:
        key: sample id; no dot, since WebDataset takes what follows the first dot for the extension.
        png: the film.
        txt: the report as one text.
        json: the full `PairRow`, so that the tar alone can rebuild its index; nothing in it is JSON in a text.
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
    txt = report_text(row.findings, row.impression)
    return Sample(row.sample_id, png, txt, row.model_dump(mode="json"))


def report_text(findings: str, impression: str) -> str:
    """The text of a sample's ``.txt``."""
    return f"FINDINGS: {findings}\n\nIMPRESSION: {impression}\n"


def write_tar(samples: Iterable[Sample]) -> bytes:
    """A tar in the order of `samples`; equal samples give equal bytes (no time, owner or mode of this machine).

    Raises:
        ValueError: a key that WebDataset would not give back, or that occurs twice.
    """
    from webdataset.writer import TarWriter  # loads torch where that is installed, which readers do not need

    out, seen = io.BytesIO(), set[str]()
    with TarWriter(out, user="", group="", mode=0o444, mtime=0, encoder=False) as tar:
        for sample in samples:
            if not proper_key(sample.key):
                raise ValueError(
                    f"sample key {sample.key!r}: 1 to 90 printable ASCII characters without '.', '/', '\\'"
                )
            if sample.key in seen:
                raise ValueError(f"sample key {sample.key!r} occurs twice in one shard")
            seen.add(sample.key)
            for extension, data in _members(sample):  # one at a time: it would sort them by extension
                tar.write({"__key__": sample.key, extension: data})
    return out.getvalue()


def read_tar(data: bytes, name: str = "tar") -> list[Sample]:
    """All samples of one tar that is in memory.

    Raises:
        CorruptShard: see `read_samples`; `name` stands for the key.
    """
    return list(samples_in(io.BytesIO(data), name))


def read_samples(store: ObjectStore, keys: Sequence[str], *, select: Container[str] | None = None) -> Iterator[Sample]:
    """Samples streamed from tars in the store, in order; `storage.loader` shuffles, shares out and resumes.

    Args:
        store: where the tars are.
        keys: their keys.
        select: ids of the samples to give; None gives all.

    Raises:
        ObjectMissing: a tar is not there.
        CorruptShard: a tar is cut off or damaged, a sample lacks a part, or a film is not the one its row names.
    """
    for key, stream in zip(keys, read_ahead(store, keys), strict=True):
        yield from samples_in(stream, key, select)


def samples_in(stream: Readable, key: str, select: Container[str] | None = None) -> Iterator[Sample]:
    """The samples of one tar; `key` names it in errors, and what is not selected is not decoded.

    Raises:
        CorruptShard: see `read_samples`.
    """
    try:
        for group in read_groups(stream):
            if select is None or group.key in select:
                yield sample_in(group)
    except ValueError as error:
        remedy = "compare its SHA-256 with the manifest and restore it, or make the version anew"
        raise CorruptShard(f"{key} is damaged: {error}; {remedy}") from error


def row_of(sample: Sample, where: str) -> PairRow:
    """The row that a sample carries; `where` names its version or tar in errors.

    Raises:
        CorruptShard: it is no row of this format.
    """
    try:
        return PairRow.model_validate(sample.json)
    except ValidationError as error:
        raise CorruptShard(f"sample {sample.key} of {where} has no proper row: {first_problem(error)}") from error


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
        row, report = _shaped(json.loads(text)), txt.decode()
        expected = row.get("png_sha256")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"sample {group.key} cannot be read: {error}") from error
    if expected is not None and hashlib.sha256(png).hexdigest() != expected:
        raise ValueError(f"the film of sample {group.key} is not the one its row names")
    return Sample(group.key, png, report, row)


def _members(sample: Sample) -> list[tuple[str, bytes]]:
    try:
        row = canonical_json(_flat(sample.json))
    except ValueError as error:
        raise ValueError(f"sample {sample.key}: its row does not fit JSON: {error}") from error
    return [("png", sample.png), ("txt", sample.txt.encode()), ("json", row.encode())]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The row with what has a shape of its own as JSON in a text."""
    shaped = {name: canonical_json(row[name]) for name in SHAPED if row.get(name) is not None}
    untold = {name: value for name, value in UNTOLD.items() if name in row and row[name] is None}
    return {**row, **shaped, **untold}


def _shaped(row: dict[str, Any]) -> dict[str, Any]:
    """The row that `_flat` was made of; also what is not flat."""
    shaped = {name: json.loads(row[name]) for name in SHAPED if isinstance(row.get(name), str)}
    untold = {name: None for name, value in UNTOLD.items() if name in row and row[name] == value}
    return {**row, **shaped, **untold}
