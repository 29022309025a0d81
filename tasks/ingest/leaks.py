"""Whether a patient or a film stands in both training and test."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from models.contracts import ProgressCallback
from storage.canonical import canonical_json
from storage.layout import measure_key
from storage.objects import ObjectStore, get_or_make
from storage.png import decode_png
from storage.records import PairRow, Record, ShardEntry
from storage.tables import from_parquet, to_parquet
from storage.versions import Version
from tasks.audit.copies import BITS
from tasks.curate.keep import read_selection
from tasks.curate.measure import HASH_SIDE, hash_films
from tasks.ingest.ensure import SourceVersion

REVISION = 2
"""Raise it when another film or patient would count as the same."""
PATIENT, STUDY, FILM, NEAR = "patient", "study", "film", "near-copy"
_SHOWN = 3
SMALL, ALIKE = 64, 0.97
"""Side of a film that is compared pixel by pixel, and the correlation from which on two such films are one."""
_HASHES = "phash"
_THREADS = 16
"""Shards measured at a time at most: decoding and hashing leave Python's lock to others."""
_BLOCK = 4_000_000
"""Pairs of films compared at a time: 128 MB."""


class SourcesLeak(ValueError):
    """Training and test share a patient or a film; the message has the count, examples and the remedy."""


class HashRow(Record):
    """The perceptual hash of a film, 256 bits in hexadecimal."""

    sample_id: str
    phash: str


class LeakRow(Record):
    """A film of the test set that stands in training too: in which way, beside which film, and what shows it."""

    test: str
    training: str
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Side:
    """A version, and the ids of what is selected of it."""

    version: Version
    kept: frozenset[str] | None

    @classmethod
    def open(cls, store: ObjectStore, source: SourceVersion) -> _Side:
        """The published version of a source."""
        version = Version.open(store, source.ref)
        kept = None if source.selection is None else read_selection(version, source.selection).kept
        return cls(version, None if kept is None else frozenset(kept))

    def identity(self) -> list[str]:
        """What identifies this side."""
        kept = "" if self.kept is None else hashlib.sha256(canonical_json(sorted(self.kept)).encode()).hexdigest()
        return [self.version.manifest.seal, kept]

    def takes(self, sample_id: str) -> bool:
        """Whether a film is selected."""
        return self.kept is None or sample_id in self.kept

    def films(self) -> list[_Film]:
        """Every selected film; a patient's or a study's id means something within its archive alone."""
        return [
            _Film(row.sample_id, self._person(row), row.png_sha256)
            for row in self.version.rows()
            if self.takes(row.sample_id)
        ]

    def hashes(self, on_progress: ProgressCallback) -> np.ndarray:
        """Perceptual hashes (n, 4) uint64 of the selected films, in the order of `films`; measured once a shard."""
        version, shards = self.version, self.version.manifest.shards
        parts = [np.zeros((0, HASH_SIDE**2 // 64), np.uint64)]
        pool = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1))
        try:
            for done, rows in enumerate(pool.map(partial(_hash_rows, version), shards)):
                flat = b"".join(bytes.fromhex(row.phash) for row in rows if self.takes(row.sample_id))
                parts.append(np.frombuffer(flat, np.uint64).reshape(-1, HASH_SIDE**2 // 64))
                on_progress(f"look for leaks of {version.ref.name}", done + 1, len(shards))
        finally:
            pool.shutdown(cancel_futures=True)  # what is broken off waits for shards that are being measured alone
        return np.concatenate(parts)

    def small(self, ids: Collection[str]) -> dict[str, np.ndarray]:
        """Films by id, each as (`SMALL` * `SMALL`,) float32."""
        chosen = self.version.samples(select=ids) if ids else ()
        return {sample.key: _small(decode_png(sample.png)) for sample in chosen}

    def _person(self, row: PairRow) -> tuple[str, str] | None:
        archive = str(row.provenance.get("archive", self.version.ref.name))
        known = next((f"{name} {value}" for name in (PATIENT, STUDY) if (value := getattr(row, name))), None)
        return None if known is None else (archive, known)


@dataclass(frozen=True, slots=True)
class _Film:
    """What of a film is compared with another: its id, its patient in its archive, and its pixels' SHA-256.

    Where an archive has no ids of patients, as OpenI, its studies stand for them.
    """

    sample_id: str
    patient: tuple[str, str] | None
    sha256: str


def check_leaks(
    store: ObjectStore,
    training: Iterable[SourceVersion],
    tests: Iterable[SourceVersion],
    on_progress: ProgressCallback = lambda *_: None,
) -> None:
    """See that no patient and no film of a test set is trained on; what is found of two versions is kept in the store.

    The same patient is one id in one archive, or one study where its patients have no ids. The same film is the same
    pixels, or a near-copy: a perceptual hash that differs in at most `BITS` of 256, and pixels that correlate where
    both are small.

    Args:
        store: where the versions are.
        training, tests: with their selections, which may leave out what leaks.
        on_progress: called with the version whose films are compared, and how many of how many shards are done.

    Raises:
        SourcesLeak: there is one; the message gives the count, three examples and the remedy.
        DatasetMissing: a version is not published.
    """
    for test in dict.fromkeys(tests):
        for source in dict.fromkeys(training):
            if source == test:
                raise SourcesLeak(f"{test} is both trained on and tested on: name another test set")
            leaks = find_leaks(store, source, test, on_progress)
            if leaks:
                raise SourcesLeak(_told(source, test, leaks))


def find_leaks(
    store: ObjectStore, training: SourceVersion, test: SourceVersion, on_progress: ProgressCallback = lambda *_: None
) -> list[LeakRow]:
    """Films of `test` that stand in `training`, each once for each way in which it does.

    Found once for two versions, by the seals of their manifests and what is selected of them; measured hashes are kept
    by version and shard.
    """
    sides = [_Side.open(store, source) for source in (training, test)]
    identity = canonical_json([REVISION, BITS, ALIKE, *(side.identity() for side in sides)])
    mark = hashlib.sha256(identity.encode()).hexdigest()[:16]
    key = measure_key(training.ref, "leaks", f"{test.ref.name}-{test.ref.version}-{mark}.parquet")

    def made() -> bytes:
        return to_parquet(list(_leaks(sides[0], sides[1], on_progress)), kind=LeakRow)

    return from_parquet(get_or_make(store, key, made), LeakRow)


def _leaks(training: _Side, test: _Side, on_progress: ProgressCallback) -> Iterator[LeakRow]:
    ours, theirs = training.films(), test.films()
    patients: dict[tuple[str, str], str] = {}
    pixels: dict[str, str] = {}
    for film in ours:
        pixels.setdefault(film.sha256, film.sample_id)
        if film.patient is not None:
            patients.setdefault(film.patient, film.sample_id)
    near = _near(training.hashes(on_progress), test.hashes(on_progress))
    close = ((film, row) for film, (row, bits) in zip(theirs, near, strict=True) if bits <= BITS)
    alike = _alike(training, test, [(film.sample_id, ours[row].sample_id) for film, row in close])
    for film, (row, bits) in zip(theirs, near, strict=True):
        if film.patient is not None and film.patient in patients:
            kind, detail = film.patient[1].partition(" ")[0], film.patient[1]
            yield LeakRow(test=film.sample_id, training=patients[film.patient], kind=kind, detail=detail)
        if film.sha256 in pixels:
            yield LeakRow(test=film.sample_id, training=pixels[film.sha256], kind=FILM, detail="the same pixels")
        elif ours and (film.sample_id, ours[row].sample_id) in alike:
            detail = f"{bits} of {HASH_SIDE**2} bits differ"
            yield LeakRow(test=film.sample_id, training=ours[row].sample_id, kind=NEAR, detail=detail)


def _alike(training: _Side, test: _Side, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of pairs with near hashes those whose films, seen small, are alike pixel by pixel: among millions of films some
    hashes are near by chance.
    """
    theirs, ours = test.small({one for one, _ in pairs}), training.small({other for _, other in pairs})
    return {pair for pair in pairs if np.corrcoef(theirs[pair[0]], ours[pair[1]])[0, 1] >= ALIKE}


def _small(film: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(film, (SMALL, SMALL), interpolation=cv2.INTER_AREA), np.float32).ravel()


def _near(training: np.ndarray, test: np.ndarray) -> list[tuple[int, int]]:
    """For each hash of `test` (m, 4) the row of `training` (n, 4) uint64 nearest to it, and the bits that differ."""
    if not len(training):
        return [(0, HASH_SIDE**2)] * len(test)
    found: list[tuple[int, int]] = []
    step = max(1, _BLOCK // len(training))
    for at in range(0, len(test), step):
        bits = np.zeros((len(test[at : at + step]), len(training)), np.uint16)
        for word in range(training.shape[1]):
            bits += np.bitwise_count(test[at : at + step, None, word] ^ training[None, :, word])
        rows = bits.argmin(axis=1)
        found += zip(rows.tolist(), bits[np.arange(len(rows)), rows].tolist(), strict=True)
    return found


def _hash_rows(version: Version, entry: ShardEntry) -> list[HashRow]:
    """The hashes of a shard's films, from the store where they were measured before."""
    key = measure_key(version.ref, _HASHES, f"{entry.shard:05d}.parquet")
    return from_parquet(get_or_make(version.store, key, lambda: _measured(version, entry)), HashRow)


def _measured(version: Version, entry: ShardEntry) -> bytes:
    rows = [
        HashRow(sample_id=sample.key, phash=hash_films([decode_png(sample.png)])[0].tobytes().hex())
        for sample in version.shard_samples(entry)
    ]
    return to_parquet(rows, kind=HashRow)


def _told(source: SourceVersion, test: SourceVersion, leaks: Sequence[LeakRow]) -> str:
    kinds = Counter(row.kind for row in leaks)
    films = len({row.test for row in leaks})
    ways = ", ".join(f"{count} by {kind}" for kind, count in kinds.most_common())
    shown = "; ".join(f"{row.test} and {row.training} ({row.detail})" for row in leaks[:_SHOWN])
    return (
        f"{films} films of the test set {test} leak into the training set {source} ({ways}), such as {shown}. "
        "Ingest the two apart (--split, or --part 0-80 and --part 80-100), or train on a selection without them"
    )
