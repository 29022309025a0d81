"""Rows and a small published version to curate."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.open import open_store
from storage.png import encode_png
from storage.records import GateRow, PairRow
from storage.shards import sample_of
from storage.versions import VersionPlace
from tasks.publish.dataset import ManifestFacts, publish_manifest


def make_row(at: int, *, labels=(), report: str = "", image: str = "", agreement: float = 1.0) -> PairRow:
    """A row that the gate `agreement` scored against 0.5, with findings `labels`."""
    gate = GateRow(gate="agreement", score=agreement, threshold=0.5, passed=agreement >= 0.5)
    return PairRow(
        sample_id=f"s{at}", index=at, findings=report or f"report number {at}", impression="x", entities=[],
        mentions=[], labels=dict.fromkeys(labels, 1) | {"scoliosis": 0}, report_seed=0, report_attempts=1,
        report_tokens=1, image_seed=0, image_attempts=1, png_sha256=image or f"hash{at}", gates=[gate],
    )  # fmt: skip


@pytest.fixture
def row():
    return make_row


@pytest.fixture
def publish(tmp_path):
    """Publish films (H, W) uint8, four a shard, and give the store, the address and the manifest."""

    def published(films):
        store, ref = open_store(str(tmp_path)), DatasetRef("phantom-cxr", "v1")
        samples = []
        for at, film in enumerate(films):
            png = encode_png(film)
            samples.append(sample_of(make_row(at, image=hashlib.sha256(png).hexdigest()), png))
        shards = [
            commit_shard(store, ref, n, ShardContents(samples[start : start + 4]))
            for n, start in enumerate(range(0, len(samples), 4))
        ]
        return (
            store,
            ref,
            publish_manifest(
                VersionPlace(store, ref), shards, ManifestFacts(fingerprint="f", asked=len(films), models={})
            ),
        )

    return published


@pytest.fixture
def films():
    """Eight unlike films of 128 x 128."""
    import cv2

    rng = np.random.default_rng(3)
    return [cv2.resize(rng.integers(0, 255, (32, 32), np.uint8), (128, 128)) for _ in range(8)]
