"""A small world: a published version of two shards with rejects, a selection, a trained arm and its scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

from storage.layout import DatasetRef, run_key
from storage.ledger import commit_shard, publish_reports
from storage.objects import ObjectStore
from storage.records import RejectRow, ReportRow
from storage.shards import Sample
from tasks.curate.keep import write_selection
from tasks.curate.rules import Rules
from tasks.curate.select import Choice, Selection
from tasks.pretrain.arms import Source
from tasks.publish.dataset import open_version, publish_manifest
from tasks.recipe.fingerprint import fingerprint, version_of
from tasks.recipe.schema import Recipe

Make = Callable[..., Sample]
World = Callable[..., DatasetRef]


def recipe(**changes: Any) -> Recipe:
    """Six pairs in shards of three."""
    return Recipe(**{"dataset": "films", "pairs": 6, "shard_size": 3, "report_gates": (), "image_gates": ()} | changes)


@pytest.fixture
def begin(make_pair: Make, make_reject: Callable[..., RejectRow], report_for: Callable[[Sample], ReportRow]) -> World:
    """Begin a version and commit some of its shards: two pairs accepted, the third drawn and rejected."""

    def make(store: ObjectStore, shards: int = 2, **changes: Any) -> DatasetRef:
        made = recipe(**changes)
        ref = DatasetRef(made.dataset, version_of(made))
        open_version(store, ref, yaml.safe_dump(made.model_dump(mode="json")), fingerprint(made))
        for shard in range(shards):
            pairs = [make_pair(shard * 3 + number) for number in range(3)]
            publish_reports(store, ref, shard, [report_for(pair) for pair in pairs])
            commit_shard(
                store, ref, shard, pairs=pairs[:2], rejects=[make_reject(shard * 3 + 2)], seconds={},
                counts={"planned": 3},
            )  # fmt: skip
        return ref

    return make


@pytest.fixture
def publish(begin: World) -> World:
    """Begin a version, commit its shards and close it."""

    def make(store: ObjectStore, lineage: dict[str, str] | None = None, **changes: Any) -> DatasetRef:
        from storage.ledger import committed_shards

        made = recipe(**changes)
        ref = begin(store, **changes)
        models = {"reports": {"name": "writer", "revision": "r1", "sha256": "a" * 64}}
        entries = list(committed_shards(store, ref).values())
        publish_manifest(
            store, ref, entries, fingerprint=fingerprint(made), asked=made.pairs, models=models, lineage=lineage
        )
        return ref

    return make


@pytest.fixture
def use() -> Callable[..., str]:
    """Curate a version, and train and score an arm on what was kept."""

    def make(store: ObjectStore, ref: DatasetRef, run: str = "run-1") -> str:
        from safetensors.numpy import save

        from storage.versions import open_dataset, pair_rows

        manifest = open_dataset(store, ref)
        ids = [row.sample_id for row in pair_rows(store, ref, manifest)]
        choices = [
            Choice(sample_id=sample, kept=sample != ids[0], reason="blurred" * (sample == ids[0])) for sample in ids
        ]
        write_selection(store, ref, "default", Selection(rules=Rules(), choices=choices))
        source = Source(
            dataset=ref.name, version=ref.version, fingerprint=manifest.fingerprint, pairs=2, selection="default"
        )
        facts = {"seed": 5, "arm": {"name": "synthetic", "sources": [source.model_dump()]}}
        weights = save({"w": np.zeros(3, np.float32)}, {"synthcxr": json.dumps(facts)})
        store.put(run_key(run, "synthetic/checkpoint.safetensors"), weights)
        store.put(run_key(run, "scores.json"), json.dumps({"dataset": str(ref)}).encode())
        return run

    return make
