"""Fixtures that every test may use: real stores and rows to put in them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import yaml
from hypothesis import settings

from storage import server
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.png import encode_png
from storage.records import GateRow, PairRow, RejectRow, ReportRow
from storage.s3 import S3Store
from storage.shards import Sample, sample_of
from tasks.recipe.schema import Recipe
from tests.counts import FULL
from tests.sleepers import StartService, services_of

settings.register_profile("ci", max_examples=50, deadline=None)
settings.register_profile("full", max_examples=200, deadline=None)
settings.load_profile("full" if FULL else "ci")

pytest_plugins = ["tests.workers", "tests.chaos.table"]

MENTION = {
    "entity": "abnormality/pleural effusion",
    "type": "abnormality",
    "phrase": "small left pleural effusion",
    "label": "pleural effusion",
    "present": True,
    "side": "left",
    "zone": None,
    "severity": "small",
}


@pytest.fixture(scope="session")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.StoreAddress]:
    """A real SeaweedFS for the whole session."""
    state = tmp_path_factory.mktemp("state")
    yield server.start(state)
    server.stop(state)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The address of a Prefect API with a database of its own; flows use it while the fixture lives.

    They send no heartbeats: the end of a flow waits up to a second for the thread that sends them.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    silent = temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with silent, prefect_test_harness(server_startup_timeout=120):
        url = get_current_settings().api.url
        assert url is not None
        yield url


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start services of the test's own folder by name; they are ended after the test."""
    with services_of(tmp_path) as start:
        yield start


@pytest.fixture
def s3_store(managed: server.StoreAddress) -> S3Store:
    """A prefix of its own on the real S3 server."""
    return managed.store(f"test-{uuid4().hex}")


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    """A store in a folder."""
    return LocalStore(tmp_path / "store")


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each kind of store in turn."""
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of its own, of a size such as ``40m``; skips where that is not allowed."""
    disk = tmp_path / "disk"

    def mount(size: str) -> Path:
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, check=False
        )
        if mounted.returncode:
            disk.rmdir()
            pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode().strip()}")
        return disk

    yield mount
    if disk.exists():
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def mention() -> dict[str, Any]:
    """The mention of every pair that `make_pair` makes."""
    return dict(MENTION)


@pytest.fixture
def ref() -> DatasetRef:
    """A dataset version."""
    return DatasetRef("phantom-cxr", "v-test")


@pytest.fixture
def make_pair() -> Callable[..., Sample]:
    """Samples by number: film, report and full row."""

    def make(number: int, **changes: object) -> Sample:
        film = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
        png = encode_png(film)
        row = PairRow(
            sample_id=f"sample-{number:05d}",
            index=number,
            findings=f"There is a small left pleural effusion. Case {number}.",
            impression="Small left pleural effusion.",
            entities=["abnormality/pleural effusion", f"anatomy/zone {number % 3}"],
            mentions=[MENTION],
            labels={"pleural effusion": 1, "pneumothorax": 0},
            report_seed=number * 7919,
            report_attempts=1,
            report_tokens=40,
            image_seed=number * 104729,
            image_attempts=2,
            prompt_tokens=6,
            png_sha256=hashlib.sha256(png).hexdigest(),
            gates=[GateRow(gate="contrast", score=0.25, threshold=0.06, passed=True, model="classical")],
            report_model="smollm2",
            image_model="painter",
            provenance={"fingerprint": "f" * 64},
        ).model_copy(update=changes)
        return sample_of(row, png)

    return make


@pytest.fixture
def make_reject() -> Callable[..., RejectRow]:
    """Rejects by number."""

    def make(number: int, gate: str = "two_lungs") -> RejectRow:
        return RejectRow(
            sample_id=f"sample-{number:05d}",
            index=number,
            stage="images",
            gate=gate,
            score=0.1,
            threshold=0.5,
            reason="no lung found on the left",
            attempts=3,
            entities=["abnormality/pleural effusion"],
            impression="Small left pleural effusion.",
            gates=[GateRow(gate=gate, score=0.1, threshold=0.5, passed=False, reason="no lung found on the left")],
        )

    return make


@pytest.fixture
def report_for() -> Callable[[Sample], ReportRow]:
    """The report that belongs to a sample."""

    def make(sample: Sample) -> ReportRow:
        row = PairRow.model_validate(sample.json)
        return ReportRow(
            sample_id=row.sample_id,
            index=row.index,
            findings=row.findings,
            impression=row.impression,
            entities=row.entities,
            mentions=row.mentions,
            seed=row.report_seed,
            attempts=1,
            tokens=40,
            tokens_all_attempts=40,
            gates=[],
        )

    return make


def small_recipe(**changes: Any) -> Recipe:
    """Six pairs in shards of three."""
    return Recipe(**{"dataset": "films", "pairs": 6, "shard_size": 3, "report_gates": (), "image_gates": ()} | changes)


@pytest.fixture
def begin(
    make_pair: Callable[..., Sample],
    make_reject: Callable[..., RejectRow],
    report_for: Callable[[Sample], ReportRow],
) -> Callable[..., DatasetRef]:
    """Begin a version and commit some of its shards: two pairs accepted, the third drawn and rejected."""

    def make(store: ObjectStore, shards: int = 2, **changes: Any) -> DatasetRef:
        from storage.ledger import ShardContents, commit_shard, publish_reports
        from storage.versions import VersionPlace
        from tasks.publish.dataset import open_version
        from tasks.recipe.fingerprint import fingerprint, version_of

        made = small_recipe(**changes)
        ref = DatasetRef(made.dataset, version_of(made))
        open_version(VersionPlace(store, ref), yaml.safe_dump(made.model_dump(mode="json")), fingerprint(made))
        for shard in range(shards):
            pairs = [make_pair(shard * 3 + number) for number in range(3)]
            publish_reports(store, ref, shard, [report_for(pair) for pair in pairs])
            commit_shard(
                store,
                ref,
                shard,
                ShardContents(pairs[:2], rejects=[make_reject(shard * 3 + 2)], counts={"planned": 3}),
            )
        return ref

    return make


@pytest.fixture
def publish(begin: Callable[..., DatasetRef]) -> Callable[..., DatasetRef]:
    """Begin a version, commit its shards and close it."""

    def make(store: ObjectStore, lineage: dict[str, str] | None = None, **changes: Any) -> DatasetRef:
        from storage.ledger import committed_shards
        from storage.versions import VersionPlace
        from tasks.publish.dataset import ManifestFacts, publish_manifest
        from tasks.recipe.fingerprint import fingerprint

        made = small_recipe(**changes)
        ref = begin(store, **changes)
        models = {"reports": {"name": "writer", "revision": "r1", "sha256": "a" * 64}}
        entries = list(committed_shards(store, ref).values())
        publish_manifest(
            VersionPlace(store, ref),
            entries,
            ManifestFacts(fingerprint=fingerprint(made), asked=made.pairs, models=models, lineage=lineage),
        )
        return ref

    return make


@pytest.fixture
def use() -> Callable[..., str]:
    """Curate a version, train an arm on what was kept, predict the version with it, and score that."""

    def make(store: ObjectStore, ref: DatasetRef, run: str = "run-1") -> str:
        from safetensors.numpy import save

        from storage.layout import prediction_key, run_key
        from storage.versions import Version
        from tasks.curate.keep import write_selection
        from tasks.curate.select import Choice, Selection
        from tasks.pretrain.arms import Arm, Draw, Trial, kept_pairs
        from tasks.pretrain.checkpoint import write_checkpoint
        from tasks.pretrain.runs import keep_trials
        from tasks.pretrain.train import TrainedTrial
        from tasks.recipe.base import KindSpec
        from tasks.recipe.curation import Rules
        from tasks.recipe.training import TrainSection

        version = Version.open(store, ref)
        ids = [row.sample_id for row in version.rows()]
        choices = [
            Choice(sample_id=sample, kept=sample != ids[0], reason="blurred" * (sample == ids[0])) for sample in ids
        ]
        selection = Selection(rules=Rules(), choices=choices)
        write_selection(version, "default", selection)
        whole = Draw(dataset=ref.name, version=ref.version, fingerprint=version.manifest.fingerprint, pairs=len(ids))
        draw = kept_pairs(whole, "default", selection.kept).model_copy(update={"pairs": 2})
        arm = Arm(name="synthetic", mix=(draw,), samples_seen=64)
        trial, section = Trial(arm=arm, objective=KindSpec(kind="clip"), seed=5), TrainSection()
        trained = TrainedTrial(2, 64, (1.0, 0.9), 0.1, save({"w": np.zeros(3, np.float32)}))
        held = write_checkpoint(store, trained, trial, section)
        keep_trials(store, run, [(trial, held)])
        store.put(prediction_key(held.fingerprint, held.step, ref, "0" * 16), b"predictions")
        store.put(run_key(run, "scores.json"), json.dumps({"dataset": str(ref)}).encode())
        return run

    return make


@pytest.fixture
def use_first_format() -> Callable[..., str]:
    """Train an arm on a version and score it, as runs of format 1 are kept."""

    def make(store: ObjectStore, ref: DatasetRef, run: str = "run-0") -> str:
        from safetensors.numpy import save

        from storage.layout import run_key
        from storage.versions import open_dataset

        source = {"dataset": ref.name, "version": ref.version, "pairs": 2, "selection": None}
        source |= {"fingerprint": open_dataset(store, ref).fingerprint}
        facts = {"seed": 5, "arm": {"name": "synthetic", "sources": [source]}}
        weights = save({"w": np.zeros(3, np.float32)}, {"synthcxr": json.dumps(facts)})
        store.put(run_key(run, "synthetic/checkpoint.safetensors"), weights)
        store.put(run_key(run, "scores.json"), json.dumps({"dataset": str(ref)}).encode())
        return run

    return make
