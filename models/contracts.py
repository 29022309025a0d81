"""What goes into a model and what comes out: the nouns and protocols at the edge of `models`.

Every value here is frozen; every protocol has one verb. A profile names an implementation by
`kind`; `models.registry` maps the kind to a factory and imports heavy packages only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np


class ProgressCallback(Protocol):
    """Told how far a long task is, from any thread."""

    def __call__(self, stage: str, done: int, total: int, note: str = "", /) -> None:
        """Stage `stage` has finished `done` of `total`; `note` is shown beside it."""
        ...


class EntityType(StrEnum):
    """The five entity types of RaTE-NER (paper section 1)."""

    ABNORMALITY = "abnormality"
    NON_ABNORMALITY = "non_abnormality"
    DISEASE = "disease"
    NON_DISEASE = "non_disease"
    ANATOMY = "anatomy"


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of a bank.

    Args:
        id: unique, such as ``disease/pneumothorax``.
        type: one of the five types.
        term: the words, such as ``pneumothorax``, ``no pneumothorax`` or ``left upper zone``.
        label: the finding it is about; None for a place.
        present: False for a negation.
        sides, zones, severities: attributes it can take.
        count: mentions in a corpus, where that is known.
    """

    id: str
    type: EntityType
    term: str
    label: str | None = None
    present: bool = True
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """One entity as a report must state it.

    Args:
        entity: id in the entity bank, such as ``abnormality/pleural effusion``.
        type: entity type.
        phrase: text that must stand in the report, such as ``moderate left pleural effusion``.
        label: the finding the phrase is about; None for a place or an entity of a foreign bank.
        present: False for a negated finding (``no pneumothorax``).
        side, zone, severity: attributes, None where they make no sense.
    """

    entity: str
    type: EntityType
    phrase: str
    label: str | None = None
    present: bool = True
    side: str | None = None
    zone: str | None = None
    severity: str | None = None


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """One report to write; `seed` already depends on sample, stage and attempt."""

    sample_id: str
    mentions: tuple[Mention, ...]
    seed: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class ReportDraft:
    """One written report, before its gates.

    `error` is set when the engine gave nothing usable, `fault` when the engine is to blame for it, not the text, and
    `refused` when it did not take the request at all.
    """

    sample_id: str
    findings: str
    impression: str
    tokens: int
    seed: int
    attempt: int = 0
    error: str | None = None
    fault: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One film to draw from `prompt` (the IMPRESSION, paper section 3)."""

    sample_id: str
    prompt: str
    seed: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sample on its way through the gates; `image` is (H, W) uint8, None before it is drawn."""

    sample_id: str
    mentions: tuple[Mention, ...]
    findings: str
    impression: str
    image: np.ndarray | None = None
    prompt_tokens: int | None = None
    prompt_limit: int | None = None


@dataclass(frozen=True, slots=True)
class GateScore:
    """What one gate measured; higher is better, and the decision is taken elsewhere.

    `score` is NaN where the gate could judge nothing of the sample. `seconds` is its wall time per candidate, 0
    where it is not measured. `not_judged` counts the mentions outside the gate's vocabulary that the recipe lets
    pass; None where it lets none.
    """

    gate: str
    score: float
    reason: str = ""
    model: str = ""
    seconds: float = field(default=0.0, compare=False)
    not_judged: int | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The facts of a model, for provenance. `sha256` covers its weight files."""

    kind: str
    name: str
    revision: str
    sha256: str
    licence: str
    details: dict[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The model in a sample's row: name and revision."""
        return f"{self.name}@{self.revision}"


class ModelNotFound(FileNotFoundError):
    """Weights or a model package are missing; the message names them and how to get them."""


class RequestsRefused(RuntimeError):
    """A generator takes no request at all, for one reason that other requests would meet too.

    The message is one line: the reason, and what to change in the recipe, the server or the machine.
    """


def one_line(error: object, most: int = 300) -> str:
    """The message of an error on one line of at most `most` characters; its kind where it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}…"


@runtime_checkable
class ReportGenerator(Protocol):
    """Writes reports. One draft per request, in the order of the requests; never raises for one bad request."""

    @property
    def card(self) -> ModelCard: ...

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]: ...


@runtime_checkable
class Shortens(Protocol):
    """A report generator that can shorten an IMPRESSION; `shares` is how much of each may stay."""

    def shorten(
        self, requests: Sequence[ReportRequest], drafts: Sequence[ReportDraft], shares: Sequence[float]
    ) -> list[ReportDraft]: ...


@runtime_checkable
class ImageGenerator(Protocol):
    """Draws films: (H, W) uint8 each, in the order of the requests."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def token_limit(self) -> int: ...

    def count_tokens(self, prompts: Sequence[str]) -> list[int]: ...

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]: ...


@runtime_checkable
class Gate(Protocol):
    """Scores candidates. One score per candidate, in order; never decides."""

    @property
    def name(self) -> str: ...

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]: ...


@runtime_checkable
class VocabularyGate(Gate, Protocol):
    """A gate whose score depends on the findings of a vocabulary, and on no other.

    `known_labels` names its findings. `covers` is whether its score depends on `mention`;
    what the gate does not score at all, such as a place, counts as covered.
    """

    @property
    def known_labels(self) -> frozenset[str]: ...

    def covers(self, mention: Mention) -> bool: ...


@runtime_checkable
class TakesBank(Protocol):
    """A gate on the findings of the recipe's bank, where its options name no others.

    Whoever opens the gates gives it the bank before the first score. `label_set` is what the bank's labels are of.
    """

    def take_bank(self, entities: Sequence[Entity], label_set: str) -> None: ...


@runtime_checkable
class StatefulGate(Protocol):
    """A gate that compares a sample with those accepted before it in its shard.

    Whoever runs it calls `reset` at the start of a shard, so that a sample's score depends on its shard alone.
    """

    def reset(self) -> None: ...

    def update(self, accepted: Sequence[Candidate]) -> None: ...


@runtime_checkable
class Encoder(Protocol):
    """Embeds things of one kind, such as films: (n, d) float32 of unit length, in their order.

    `revision` names the weights: another revision makes other embeddings.
    """

    @property
    def revision(self) -> str: ...

    def embed(self, batch: Sequence[Any]) -> np.ndarray: ...


@runtime_checkable
class Recogniser(Protocol):
    """Finds findings in text: a mapping of label to present (True) or negated (False) per text."""

    def recognise(self, texts: Sequence[str]) -> list[dict[str, bool]]: ...
