"""The rows and documents that the store holds: one frozen model per file kind."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

FORMAT_VERSION = 3
"""2 added the facts that an archive gives of a film (patient, boxes, masks …), label sets and use
agreements; 3 added the SHA-256 of the documents beside the shards. Manifests of formats 1 and 2 are read too."""

FILM_FACTS = ("patient", "study", "view", "sex", "age", "split", "labeller", "boxes", "masks", "text_from")
"""Fields of a `PairRow` that an archive fills; JSON of a pair has all of them, or, where none is given, none."""


class Record(BaseModel):
    """Base of everything persisted: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GateRow(Record):
    """One gate's score of one sample, with the threshold that was in force when it was written.

    `score` is None where no entity of the sample is in the gate's vocabulary and the recipe let it pass unjudged.
    `not_judged` counts the mentions outside the gate's vocabulary; it is None, and left out of JSON, where the recipe
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
    model: str = Field(default="", description="what wrote it: name@revision; empty in versions without it")


class Box(Record):
    """A finding's place in pixels of the published film: left edge `x`, top edge `y`, `width` and `height`."""

    finding: str
    x: float
    y: float
    width: float
    height: float


class Mask(Record):
    """A finding's area on the published film (height, width), as runs down the columns.

    `runs` are numbers with blanks between them: so many pixels outside, so many inside, and so on, from the top left
    corner. `storage.masks` makes an array of it.
    """

    finding: str
    height: int
    width: int
    runs: str


class PairRow(Record):
    """One row of ``pairs/00042.parquet``: everything about an accepted sample except its pixels.

    `labels` maps a finding to 1 (present), 0 (absent) or -1 (uncertain); one without a value is not in it. `axes`
    holds age, sex and view where the recipe deals them, and is left out of JSON where it does not.

    The facts that an archive gives of a film (`FILM_FACTS`) are None or empty where it gives none: `patient` and
    `study` are its ids, `age` is in years, `split` is as the archive names it, `labeller` is who labelled
    the film, and `text_from` whether the text is the film's ``report``, was made from its ``labels``, follows a
    ``plan``, or is ``none``; it is empty in generated pairs and in rows of format 1.
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
    patient: str | None = None
    study: str | None = None
    view: str | None = None
    sex: str | None = None
    age: float | None = None
    split: str | None = None
    labeller: str | None = None
    boxes: list[Box] = Field(default_factory=list[Box])
    masks: list[Mask] = Field(default_factory=list[Mask])
    text_from: Literal["", "report", "labels", "plan", "none"] = ""

    @model_serializer(mode="wrap")
    def _without_absent_facts(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = serialise(self)
        absent: set[str] = (
            set() if any(getattr(self, name) not in (None, "", []) for name in FILM_FACTS) else {*FILM_FACTS}
        )
        if self.axes is None:
            absent.add("axes")
        return {name: value for name, value in plain.items() if name not in absent}


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
    gates: list[GateRow] = Field(default_factory=list[GateRow])


class ReportEntry(Record):
    """``reports/00042.json``: written when a shard's reports are done, with what they took.

    `seconds` and `counts` are empty where a worker died between the reports and this entry.
    """

    shard: int
    accepted: int
    rejected: int
    seconds: dict[str, float] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)


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

    `label_set` is the name of the label set of its labels (see `models.findings`), `agreement` is the use agreement
    of the archive that it was made from. `documents` has the SHA-256 of the objects beside the shards by their key in
    the version: recipe, weights, model cards and report entries; formats 1 and 2 have none. `seal` is the SHA-256 of
    the file with an empty seal, so that an edit of it shows.
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
    label_set: str = ""
    agreement: str = ""
    statistics: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
    documents: dict[str, str] = Field(default_factory=dict, exclude_if=lambda value: not value)
    seal: str = ""
