"""The contact sheet: a few films spread evenly over a version, small enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from storage.errors import CorruptShard
from storage.png import decode_png
from storage.records import Manifest, PairRow
from storage.tars import Group, read_groups
from storage.versions import Version
from tasks.publish.provenance import Place

FILMS = 96
TARS = 12
LARGEST = 256
_QUALITY = 85


@dataclass(frozen=True, slots=True)
class SheetFilm:
    """One accepted sample of the sheet; `image` is WebP."""

    row: PairRow
    place: Place
    image: bytes


def choose(manifest: Manifest, films: int = FILMS) -> dict[int, list[int]]:
    """Offsets of the films to show by shard: at most `films`, from at most `TARS` tars spread over the version."""
    filled = [entry for entry in manifest.shards if entry.pairs is not None and entry.accepted]
    chosen = [filled[at] for at in _spread(len(filled), min(TARS, films))]
    shares = [films // len(chosen) + (number < films % len(chosen)) for number in range(len(chosen))]
    return {entry.shard: _spread(entry.accepted, share) for entry, share in zip(chosen, shares, strict=True) if share}


def read_films(version: Version, rows: Sequence[tuple[PairRow, Place]]) -> list[SheetFilm]:
    """The films of `rows`, made small, with their bytes' place; one sample is in memory at a time.

    Raises:
        CorruptShard: a tar is damaged, or lacks a film that its index names.
    """
    store, found = version.store, dict[str, SheetFilm]()
    for tar in dict.fromkeys(place.tar for _, place in rows):
        key = version.ref.key(tar)
        wanted = {row.sample_id: (row, place) for row, place in rows if place.tar == tar}
        try:
            with store.open(key) as stream:
                for group in read_groups(stream):
                    if group.key in wanted:
                        row, place = wanted.pop(group.key)
                        found[group.key] = _film(row, place, group)
        except ValueError as error:
            raise CorruptShard(f"{store.uri(key)} is damaged: {error}") from error
        if wanted:
            raise CorruptShard(f"{store.uri(key)} lacks {', '.join(wanted)}, which its index names")
    return [found[row.sample_id] for row, _ in rows]


def _film(row: PairRow, place: Place, group: Group) -> SheetFilm:
    spans = {name: (member.offset, len(member.data)) for name, member in group.parts.items()}
    return SheetFilm(row, replace(place, spans=spans), thumbnail(group.parts["png"].data))


def thumbnail(png: bytes) -> bytes:
    """The film as WebP, made smaller if one side is longer than `LARGEST` pixels."""
    import cv2

    film = decode_png(png)
    scale = min(1.0, LARGEST / max(film.shape))
    if scale < 1:
        size = (max(1, round(film.shape[1] * scale)), max(1, round(film.shape[0] * scale)))
        film = np.asarray(cv2.resize(film, size, interpolation=cv2.INTER_AREA))
    done, data = cv2.imencode(".webp", film, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"a film of {film.shape[1]} x {film.shape[0]} pixels does not fit WebP")
    return data.tobytes()


def _spread(length: int, wanted: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, length - 1, min(length, wanted))}) if length and wanted else []
