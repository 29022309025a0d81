"""Publish a rendered archive as a dataset version of the same layout as a generated one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np
import yaml

from models.findings.label_sets import load
from storage.canonical import canonical_json
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard, committed_shards
from storage.png import encode_png
from storage.records import Box, Manifest, Mask, PairRow
from storage.shards import Sample, sample_of
from storage.versions import VersionPlace
from tasks.publish.dataset import ManifestFacts, find_version, open_version, publish_manifest

LABEL_SET = "phantom"
FORMAT = 1


class ArchiveFilm(Protocol):
    """What the publisher of an archive needs of one film.

    Pixels (H, W) uint8, labels 1 or 0, report, what is wrong with it, its view, and where its findings are.
    """

    @property
    def image(self) -> np.ndarray: ...
    @property
    def labels(self) -> Mapping[str, int]: ...
    @property
    def findings_text(self) -> str: ...
    @property
    def impression_text(self) -> str: ...
    @property
    def defect(self) -> str | None: ...
    @property
    def view(self) -> str | None: ...
    @property
    def boxes(self) -> Sequence[Box]: ...
    @property
    def masks(self) -> Sequence[Mask]: ...


def publish_archive(
    place: VersionPlace,
    films: Iterable[ArchiveFilm],
    *,
    count: int,
    shard_size: int = 256,
    description: Mapping[str, Any] | None = None,
) -> Manifest:
    """Publish `count` films in shards; shards that are there already stay, and a whole version is left alone.

    Args:
        place: where to.
        films: rendered in order; iterated only while something is missing.
        count: how many films there are.
        shard_size: films a shard.
        description: what decides the films (hospital, seed, size); it is frozen like a recipe.

    Raises:
        ValueError: `films` ends before `count`.
        RecipeChanged: the version was begun or published with another description.
    """
    store, ref = place.store, place.ref
    recipe = {"format": FORMAT, "archive": ref.name, "films": count, "shard_size": shard_size, **(description or {})}
    fingerprint = hashlib.sha256(canonical_json(recipe).encode()).hexdigest()
    text = yaml.safe_dump(recipe, sort_keys=True)
    open_version(place, text, fingerprint)
    published = find_version(place, text, fingerprint)
    if published is not None:
        return published
    done = committed_shards(store, ref)
    stream = iter(films)
    for shard, start in enumerate(range(0, count, shard_size)):
        size = min(shard_size, count - start)
        if shard in done:
            _skip(stream, size)
            continue
        samples = [_sample(ref, start + number, film) for number, film in enumerate(islice(stream, size))]
        if len(samples) < size:
            raise ValueError(f"archive {ref}: {start + len(samples)} films came, {count} were promised")
        done[shard] = commit_shard(store, ref, shard, ShardContents(samples, counts={"films": size}))
    return publish_manifest(
        place,
        list(done.values()),
        ManifestFacts(fingerprint=fingerprint, asked=count, models={"renderer": _renderer(ref)}, label_set=LABEL_SET),
    )


def _sample(ref: DatasetRef, index: int, film: ArchiveFilm) -> Sample:
    png = encode_png(film.image)
    labels = {name: int(value) for name, value in film.labels.items()}
    row = PairRow(
        sample_id=f"{ref.name.replace('.', '-')}-{index:06d}",
        index=index,
        findings=film.findings_text,
        impression=film.impression_text,
        entities=[_entity(name) for name, value in labels.items() if value == 1],
        mentions=[],
        labels=labels,
        report_seed=0,
        report_attempts=1,
        report_tokens=0,
        image_seed=0,
        image_attempts=1,
        png_sha256=hashlib.sha256(png).hexdigest(),
        gates=[],
        report_model="phantom",
        image_model="phantom",
        provenance={"archive": ref.name, "defect": film.defect},
        view=film.view,
        boxes=list(film.boxes),
        masks=list(film.masks),
        text_from="report",
    )
    return sample_of(row, png)


def _entity(label: str) -> str:
    kind = load(LABEL_SET).find(label)
    return f"{kind.type.value}/{label}" if kind else label


def _renderer(ref: DatasetRef) -> dict[str, Any]:
    return {"kind": "phantom", "name": ref.name, "licence": "Apache-2.0"}


def _skip(stream: Iterator[ArchiveFilm], size: int) -> None:
    for _ in islice(stream, size):
        pass
