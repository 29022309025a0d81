"""The rows and documents that the store holds: one frozen model per file kind."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

FORMAT_VERSION = 1


class Record(BaseModel):
    """Base of everything persisted: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GateRow(Record):
    """One gate's score of one sample, with the threshold that was in force when it was written.

    `score` is None where the gate knows nothing of what the sample asks for and the recipe let it pass unjudged.
    `not_judged` counts the mentions that the gate does not know; it is None, and left out of JSON, where the recipe
    lets none pass.
    """

    gate: str
    score: float | None
    threshold: float
    passed: bool
    reason: str = ""
    model: str = ""
    not_judged: int | None = Field(default=None, exclude_if=lambda value: value is None)


class ReportRow(Record):
    """One row of ``reports/00042.parquet``: a report that passed its gates, with how it came to be."""

    sample_id: str
    index: int
    findings: str
    impression: str
    entities: list[str]
    mentions: list[dict[str, Any]]
    seed: int
    attempts: int
    tokens: int
    tokens_all_attempts: int
    gates: list[GateRow]
    axes: dict[str, str] | None = None


class PairRow(Record):
    """One row of ``pairs/00042.parquet``: everything about an accepted sample except its pixels.

    `labels` maps a finding to 1 or 0 where that is known (phantom archives, planned findings). `axes` holds age, sex
    and view where the recipe deals them, and is left out of JSON where it does not.
    """

    sample_id: str
    index: int
    findings: str
    impression: str
    entities: list[str]
    mentions: list[dict[str, Any]]
    labels: dict[str, int]
    report_seed: int
    report_attempts: int
    report_tokens: int
    image_seed: int
    image_attempts: int
    prompt_tokens: int | None = None
    png_sha256: str
    gates: list[GateRow]
    report_model: str = ""
    image_model: str = ""
    provenance: dict[str, Any] = Field(default_factory=dict)
    axes: dict[str, str] | None = None

    @model_serializer(mode="wrap")
    def _without_empty_axes(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = serialise(self)
        return plain if self.axes is not None else {name: value for name, value in plain.items() if name != "axes"}


class RejectRow(Record):
    """One row of ``rejects/00042.parquet``: a sample given up after its last attempt."""

    sample_id: str
    index: int
    stage: str
    gate: str
    score: float
    threshold: float
    reason: str
    attempts: int
    entities: list[str]
    findings: str = ""
    impression: str = ""
    gates: list[GateRow] = Field(default_factory=list)


class ObjectEntry(Record):
    """One published object: key relative to the dataset version, size in bytes, SHA-256 hex, rows."""

    key: str
    size: int
    sha256: str
    rows: int


class ShardEntry(Record):
    """One committed shard of a dataset version."""

    shard: int
    pairs: ObjectEntry | None
    index: ObjectEntry
    rejects: ObjectEntry
    reports: ObjectEntry | None = None
    accepted: int
    rejected: int
    seconds: dict[str, float] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)


class Manifest(Record):
    """``manifest.json``: written last, create-only; the only thing downstream flows read.

    `seal` is the SHA-256 of the file with an empty seal, so that an edit of it shows.
    """

    format: int = FORMAT_VERSION
    dataset: str
    version: str
    fingerprint: str
    created: datetime
    asked: int
    accepted: int
    rejected: int
    shards: list[ShardEntry]
    models: dict[str, dict[str, Any]]
    rejected_by_gate: dict[str, int]
    entity_counts: dict[str, int]
    lineage: dict[str, str] = Field(default_factory=dict)
    licence: str = "Apache-2.0"
    credentialed: bool = False
    statistics: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
    seal: str = ""
