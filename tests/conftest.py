"""Fixtures that every test may use: real stores and rows to put in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from storage import server
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.png import encode_png
from storage.records import GateRow, PairRow, RejectRow, ReportRow
from storage.s3 import S3Store
from storage.shards import Sample, sample_of


@pytest.fixture(scope="session")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.StoreAddress]:
    """A real SeaweedFS for the whole session."""
    state = tmp_path_factory.mktemp("state")
    yield server.start(state)
    server.stop(state)


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
            mentions=[{"entity": "abnormality/pleural effusion", "present": True, "side": "left"}],
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
