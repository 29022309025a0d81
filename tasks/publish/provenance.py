"""Where a sample comes from: everything that the store holds about it, as titled facts for page and command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from models.findings.mention_text import arrange
from models.language.prompts import findings_messages, impression_messages
from storage.records import Box, GateRow, Manifest, Mask, PairRow, RejectRow, ReportRow
from tasks.generate.images import read_mentions
from tasks.plan.seeds import seed_for

_MARKS = {1: "present", 0: "absent", -1: "uncertain"}
CHATS = ("vllm", "openai")
LATER = "decided after this page was written; `synth explain` with the sample's id looks it up"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample lies: its shard, the object that holds it, and its row there, from 0.

    `spans` gives the first byte and the size of each of its files in the shard's tar, where that is known.
    """

    shard: int
    key: str
    row: int
    tar: str = ""
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Facts of one kind, name and value each, in reading order."""

    title: str
    facts: tuple[tuple[str, str], ...]


def explain_sample(
    row: PairRow | RejectRow,
    place: Place,
    *,
    selections: Sequence[str] | None = None,
    runs: Sequence[str] | None = None,
) -> list[Chapter]:
    """The chapters that differ from sample to sample.

    Args:
        row: the sample's row, accepted or rejected.
        place: where it lies.
        selections: names of the selections that kept it; None where that is not known.
        runs: names of the training runs that used it; None where that is not known.
    """
    outcome = _rejected(row) if isinstance(row, RejectRow) else _made(row)
    lies = [("shard", str(place.shard)), ("object", place.key), ("row in it", str(place.row))]
    chapters = [
        Chapter("Asked", tuple(_asked(row))),
        *outcome,
        Chapter("Gates", tuple((gate.gate, gate_line(gate)) for gate in row.gates)),
        Chapter("Place", (("index in the plan", str(row.index)), *lies)),
    ]
    if place.spans:
        spans = ((name, f"{size} bytes from byte {first}") for name, (first, size) in place.spans.items())
        chapters.append(Chapter("Bytes", (("tar", place.tar), *spans)))
    if isinstance(row, PairRow):
        later = [(name, _names(names)) for name, names in (("selections", selections), ("training runs", runs))]
        chapters.append(Chapter("Used by", tuple(later)))
    return [chapter for chapter in chapters if chapter.facts]


def explain_version(manifest: Manifest) -> list[Chapter]:
    """The chapters that all samples of a version share: models with their weights, recipe and code."""
    models = [Chapter(f"Model of {stage}", tuple(_card(card))) for stage, card in manifest.models.items()]
    version = [
        ("dataset", f"{manifest.dataset}/{manifest.version}"),
        ("recipe", "recipe.yaml"),
        ("fingerprint", manifest.fingerprint),
        ("recipe's seed", str(manifest.statistics.get("seed", "not recorded"))),
        ("code", f"synthcxr {manifest.code_version}".strip()),
        ("published", f"{manifest.created:%Y-%m-%d %H:%M} UTC"),
        ("licence", manifest.licence + (", credentialed" if manifest.credentialed else "")),
        *(
            (name, value)
            for name, value in (("label set", manifest.label_set), ("agreement", manifest.agreement))
            if value
        ),
        *((f"made from {role}", source) for role, source in manifest.lineage.items()),
    ]
    return [*models, Chapter("Version", tuple(version))]


def explain_attempts(fingerprint: str, sample_id: str, attempts: Mapping[str, int]) -> Chapter:
    """The seed of every attempt, derived from the recipe's fingerprint; `attempts` counts them by stage."""
    facts = (
        (f"{stage} {attempt + 1}", str(seed_for(fingerprint, sample_id, stage, attempt)))
        for stage, count in attempts.items()
        for attempt in range(count)
    )
    return Chapter("Seeds of the attempts", tuple(facts))


def explain_prompts(row: PairRow | ReportRow, kind: str) -> Chapter:
    """What a chat model was asked for this report; no facts for a generator that takes no prompt."""
    if kind not in CHATS:
        return Chapter("Prompts of the report", ())
    mentions, seed = read_mentions(row), row.seed if isinstance(row, ReportRow) else row.report_seed
    first = findings_messages(arrange(mentions, seed))
    messages = impression_messages(arrange(mentions, seed + 1), first, row.findings)
    return Chapter("Prompts of the report", tuple((message["role"], message["content"]) for message in messages))


def gate_line(gate: GateRow) -> str:
    """One gate's score against its threshold, with its reason and its model."""
    sign = "≥" if gate.passed else "below"
    notes = [note for note in (gate.reason, gate.model) if note]
    if gate.score is None:
        return f"not judged ({'; '.join(notes)})" if notes else "not judged"
    return f"{gate.score:.4g} {sign} {gate.threshold:.4g}" + (f" ({'; '.join(notes)})" if notes else "")


def _asked(row: PairRow | RejectRow) -> Iterable[tuple[str, str]]:
    if isinstance(row, PairRow) and row.mentions:
        for mention in row.mentions:
            phrase = str(mention.get("phrase") or "")
            yield str(mention.get("entity", "")), phrase if mention.get("present", True) else f"{phrase} (absent)"
    else:
        yield from ((entity, "") for entity in row.entities)


def _made(row: PairRow) -> list[Chapter]:
    if "archive" in row.provenance:
        return _of_archive(row)
    report = (
        ("seed", str(row.report_seed)),
        ("attempts", str(row.report_attempts)),
        ("tokens of all attempts", str(row.report_tokens)),
        ("model", row.report_model),
    )
    film = (
        ("prompt", row.provenance.get("prompt", row.impression)),
        ("prompt tokens", "" if row.prompt_tokens is None else str(row.prompt_tokens)),
        ("seed", str(row.image_seed)),
        ("attempts", str(row.image_attempts)),
        ("model", row.image_model),
        ("SHA-256 of the PNG", row.png_sha256),
    )
    other = tuple((name, str(value)) for name, value in row.provenance.items() if value is not None)
    return [Chapter("Report", _known(report)), Chapter("Film", _known(film)), Chapter("Made with", other)]


def _of_archive(row: PairRow) -> list[Chapter]:
    """The facts that an archive gives of a film: nothing of it was generated."""
    facts = [(name, getattr(row, name)) for name in ("patient", "study", "view", "sex", "age", "split", "labeller")]
    facts += [("text from", f"{row.text_from} ({row.report_model})" if row.report_model else row.text_from)]
    facts += [("boxes", _places(row.boxes)), ("masks", _places(row.masks)), ("SHA-256 of the PNG", row.png_sha256)]
    given = [(name, f"{value:g}" if isinstance(value, float) else str(value)) for name, value in facts if value]
    made = [(name, str(value)) for name, value in row.provenance.items() if value is not None]
    labels = tuple((name, _MARKS.get(mark, str(mark))) for name, mark in row.labels.items())
    return [Chapter("Archive", (*given, *made)), Chapter("Labels", labels)]


def _places(places: Sequence[Box | Mask]) -> str:
    return ", ".join(place.finding for place in places)


def _rejected(row: RejectRow) -> list[Chapter]:
    facts = (
        ("stage", row.stage),
        ("gate", row.gate),
        ("score", f"{row.score:.4g}, {row.threshold:.4g} was needed"),
        ("reason", row.reason),
        ("attempts", str(row.attempts)),
    )
    return [Chapter("Rejected", _known(facts))]


def _card(card: dict) -> Iterable[tuple[str, str]]:
    for name in ("kind", "name", "revision", "sha256", "licence"):
        if card.get(name):
            yield "SHA-256 of the weights" if name == "sha256" else name, str(card[name])
    yield from ((str(name), str(value)) for name, value in (card.get("details") or {}).items())


def _known(facts: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(fact for fact in facts if fact[1])


def _names(names: Sequence[str] | None) -> str:
    if names is None:
        return LATER
    return ", ".join(names) or "none"
