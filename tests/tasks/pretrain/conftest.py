"""A toy world: dark films on which each finding is a bright spot, published as real datasets in a local store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.open import open_store
from storage.png import encode_png
from storage.records import Manifest, PairRow
from storage.shards import Sample, sample_of
from tasks.pretrain.arms import Draw, Trial, plan_trials
from tasks.recipe.training import TrainSection

SPOTS = {
    "left pleural effusion": (0.8, 0.75),
    "right pleural effusion": (0.8, 0.25),
    "lung nodule": (0.3, 0.3),
    "cardiomegaly": (0.6, 0.5),
}


def toy_films(films: int, seed: int, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Films (n, size, size) uint8 and labels (n, spots)."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:size, :size]
    labels = rng.random((films, len(SPOTS))) < 0.3
    canvas = rng.normal(90, 12, (films, size, size)) + 30 * np.sin(across / 15)
    for at, (y, x) in enumerate(SPOTS.values()):
        spot = 70 * np.exp(-((down - y * size) ** 2 + (across - x * size) ** 2) / (0.01 * size * size))
        canvas += labels[:, at, None, None] * spot
    return np.clip(canvas, 0, 255).astype(np.uint8), labels.astype(int)


def toy_samples(name: str, films: int, seed: int) -> list[Sample]:
    """Samples with reports that say what the films show."""
    samples = []
    for at, (film, shown) in enumerate(zip(*toy_films(films, seed), strict=True)):
        present = [spot for spot, there in zip(SPOTS, shown, strict=True) if there]
        png = encode_png(film)
        row = PairRow(
            sample_id=f"{name}-{at:05d}", index=at,
            findings=" ".join(f"There is {spot}." for spot in present) or "The lungs are clear.",
            impression=" ".join(f"{spot.capitalize()}." for spot in present) or "No acute abnormality.",
            entities=present, mentions=[], labels=dict(zip(SPOTS, map(int, shown), strict=True)),
            report_seed=0, report_attempts=1, report_tokens=9, image_seed=0, image_attempts=1,
            png_sha256=hashlib.sha256(png).hexdigest(), gates=[],
        )  # fmt: skip
        samples.append(sample_of(row, png))
    return samples


def publish(store: ObjectStore, name: str, samples: list[Sample], shard_size: int = 32) -> Draw:
    """A dataset version of `samples`."""
    ref = DatasetRef(name, "v1")
    parts = [samples[at : at + shard_size] for at in range(0, len(samples), shard_size)]
    shards = [commit_shard(store, ref, at, ShardContents(part)) for at, part in enumerate(parts)]
    manifest = Manifest(
        dataset=name, version="v1", fingerprint=f"{name}-fingerprint", created=datetime(2026, 1, 1, tzinfo=UTC),
        asked=len(samples), accepted=len(samples), rejected=0, shards=shards, models={}, rejected_by_gate={},
        entity_counts={},
    )  # fmt: skip
    write_manifest(store, ref, manifest)
    return Draw(dataset=name, version="v1", fingerprint=manifest.fingerprint, pairs=len(samples))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    folder = Path(tmp_path_factory.mktemp("store"))
    return open_store(str(folder))


@pytest.fixture(scope="session")
def real(store: ObjectStore) -> Draw:
    return publish(store, "toy-real", toy_samples("real", 96, seed=1))


@pytest.fixture(scope="session")
def synthetic(store: ObjectStore) -> Draw:
    return publish(store, "toy-synthetic", toy_samples("synthetic", 96, seed=2))


@pytest.fixture
def section() -> TrainSection:
    """A few steps on small batches."""
    return TrainSection(samples_seen=64, batch=16, threads=1)


@pytest.fixture
def planned(real: Draw, synthetic: Draw) -> Callable[[TrainSection], dict[str, Trial]]:
    """The trials of a section by the name of their arm, those of its first seed."""

    def plan(section: TrainSection) -> dict[str, Trial]:
        trials = plan_trials(section, {"real": real, "synthetic": synthetic})
        return {trial.arm.name: trial for trial in trials if trial.seed == section.seeds[0]}

    return plan
