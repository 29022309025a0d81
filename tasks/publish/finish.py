"""Finish a version whose shards are committed: card and report, then the manifest, last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from storage.errors import AlreadyExists
from storage.layout import DatasetRef
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.png import decode_png, encode_png
from storage.records import Manifest, PairRow, RejectRow, ShardEntry
from storage.shards import read_samples
from storage.versions import pair_rows, reject_rows, tar_keys
from tasks.publish.card import build_card
from tasks.publish.dataset import find_manifest_of, make_manifest
from tasks.publish.figures import entity_counts, gate_figures
from tasks.publish.report import build_report
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.schema import Recipe

FILMS = 96
_TARS = 12
_LARGEST = 256


def finish_version(
    store: ObjectStore,
    ref: DatasetRef,
    recipe: Recipe,
    shards: Sequence[ShardEntry],
    models: Mapping[str, Mapping[str, Any]],
    *,
    lineage: Mapping[str, str] | None = None,
    credentialed: bool = False,
) -> Manifest:
    """Write ``card/README.md``, ``card/report.html`` and ``manifest.json``; a finished version is left alone.

    Args:
        store, ref: the version.
        recipe: the whole recipe; its price gives the cost per accepted pair.
        shards: all committed shards.
        models: model cards by stage.
        lineage: what the version was made from, by role.
        credentialed: whether the data may be shared only with credentialed users.

    Raises:
        ManifestConflict: the version is finished with other shards.
    """
    stored = find_manifest_of(store, ref, shards)
    if stored is not None:
        return stored
    manifest = make_manifest(
        store,
        ref,
        shards,
        fingerprint=fingerprint(recipe),
        asked=recipe.pairs,
        models=models,
        lineage=lineage,
        statistics=cost(recipe, shards),
        credentialed=credentialed,
    )
    write_card(store, ref, manifest)
    return write_manifest(store, ref, manifest)


def write_card(store: ObjectStore, ref: DatasetRef, manifest: Manifest) -> None:
    """Card and report of a version, from its rows; files that are there stay."""
    pairs, rejects = list(pair_rows(store, ref, manifest)), list(reject_rows(store, ref, manifest))
    extra = {name.replace("_", " "): value for name, value in manifest.statistics.items()}
    report = build_report(manifest, pairs, sheet(store, ref, manifest), rejects, _planned(pairs, rejects), extra)
    card = build_card(manifest, gate_figures(pairs, rejects), extra)
    _keep(store, ref.card("report.html"), report, "text/html; charset=utf-8")
    _keep(store, ref.card("README.md"), card, "text/markdown; charset=utf-8")


def sheet(store: ObjectStore, ref: DatasetRef, manifest: Manifest, films: int = FILMS) -> dict[str, bytes]:
    """Up to `films` accepted films as small PNGs by sample id, from at most twelve tars spread over the version."""
    keys = tar_keys(ref, manifest)
    if not keys:
        return {}
    chosen = [keys[at] for at in _spread(len(keys), _TARS)]
    share = -(-films // len(chosen))
    found: dict[str, bytes] = {}
    for key in chosen:
        samples = list(read_samples(store, [key]))
        found |= {samples[at].key: thumbnail(samples[at].png) for at in _spread(len(samples), share)}
    return dict(list(found.items())[:films])


def thumbnail(png: bytes, largest: int = _LARGEST) -> bytes:
    """The film, made smaller if one side is longer than `largest` pixels."""
    import cv2

    film = decode_png(png)
    scale = largest / max(film.shape)
    if scale >= 1:
        return png
    size = (round(film.shape[1] * scale), round(film.shape[0] * scale))
    return encode_png(np.asarray(cv2.resize(film, size, interpolation=cv2.INTER_AREA)))


def cost(recipe: Recipe, shards: Sequence[ShardEntry]) -> dict[str, float]:
    """Seconds and currency per accepted pair, all stages together; nothing when nothing was accepted."""
    seconds = sum(sum(shard.seconds.values()) for shard in shards)
    accepted = sum(shard.accepted for shard in shards)
    if not accepted or not seconds:
        return {}
    each = seconds / accepted
    return {"seconds_per_accepted_pair": each, "cost_per_accepted_pair": each / 3600 * recipe.cost_per_hour}


def _planned(pairs: Sequence[PairRow], rejects: Sequence[RejectRow]) -> dict[str, int]:
    """What the plan asked for: every planned sample is either accepted or rejected."""
    return entity_counts([*pairs, *rejects])


def _spread(length: int, wanted: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, length - 1, min(length, wanted))})


def _keep(store: ObjectStore, key: str, text: str, content_type: str) -> None:
    try:
        store.put(key, text.encode(), content_type=content_type)
    except AlreadyExists:
        return  # an earlier attempt wrote it from the same shards
