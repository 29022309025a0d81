"""Say everything that a store knows of one sample, from the entities it was asked for to the runs that used it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from storage.errors import CorruptShard, DatasetMissing, ManifestConflict, ObjectMissing, StoreError
from storage.layout import DatasetRef
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.provenance import Trace, find_sample, shard_numbers
from storage.records import PairRow, RejectRow, ReportRow
from storage.versions import VersionPlace, begun
from tasks.curate.keep import read_selection
from tasks.pretrain.arms import Draw
from tasks.pretrain.subset import open_subset
from tasks.publish.dataset import RecipeChanged, frozen_recipe
from tasks.publish.provenance import (
    Chapter,
    Place,
    explain_attempts,
    explain_prompts,
    explain_sample,
    explain_version,
    gate_line,
)
from tasks.store.references import References, references

Frozen = tuple[str, dict[str, Any]]
"""Fingerprint and frozen recipe of a version; empty where there is none."""


class SampleMissing(StoreError):
    """No version holds a sample of that id; the message says where it was looked for."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sample in one version: what became of it, and everything about it, chapter by chapter."""

    ref: DatasetRef
    sample_id: str
    outcome: str
    chapters: tuple[Chapter, ...]


def explain_everywhere(store: ObjectStore, sample_id: str, ref: DatasetRef | None = None) -> list[Explanation]:
    """Explain a sample in every version that holds it, or in `ref`; two datasets of one recipe share their samples.

    Raises:
        SampleMissing: it is nowhere.
        DatasetMissing: there is nothing of `ref`.
    """
    refs = begun(store, ref.name) if ref else begun(store)
    if ref is not None:
        if ref not in refs:
            raise DatasetMissing(f"there is nothing of {ref} in {store.root}: `synth versions` lists what is there")
        refs = [ref]
    recipes = {held: _readable(VersionPlace(store, held)) for held in refs}
    likely = [held for held in refs if _likely(held, sample_id, recipes[held])]
    for some in (likely, [held for held in refs if held not in likely]):
        looked = ((held, _trace(VersionPlace(store, held), sample_id, recipes[held])) for held in some)
        traces = [(held, trace) for held, trace in looked if trace is not None]
        if traces:
            break
    else:
        where = ", ".join(map(str, refs)) or store.root
        raise SampleMissing(f"no sample {sample_id!r} in {where}: it is not made yet, or in another store (--root)")
    known = references(store)
    places = ((VersionPlace(store, held), trace) for held, trace in traces)
    return [_Found(place, trace, known, _recipe(place)).explanation() for place, trace in places]


def _likely(ref: DatasetRef, sample_id: str, frozen: Frozen) -> bool:
    """Whether an id looks like one of this version: it begins with the recipe's fingerprint or the archive's name."""
    stem = sample_id.rpartition("-")[0]
    return stem == ref.name.replace(".", "-") or stem == frozen[0][:8]


def _trace(place: VersionPlace, sample_id: str, frozen: Frozen) -> Trace | None:
    """Find a sample, beginning with the shard that its number points to."""
    number, size = sample_id.rpartition("-")[2], frozen[1].get("shard_size")
    usable = number.isdecimal() and len(number) < 16 and isinstance(size, int) and size > 0
    store, ref = place.store, place.ref
    near = int(number) // size if usable and size else 0
    return find_sample(store, ref, sample_id, sorted(shard_numbers(store, ref), key=lambda shard: abs(shard - near)))


def _recipe(place: VersionPlace) -> Frozen:
    try:
        return frozen_recipe(place)
    except ObjectMissing:
        return "", {}


def _readable(place: VersionPlace) -> Frozen:
    """As `_recipe`, but a damaged one is empty too: it must not hide the samples of other versions."""
    try:
        return _recipe(place)
    except RecipeChanged:
        return "", {}


@dataclass(frozen=True, slots=True)
class _Found:
    """A sample that was found in a version, with what refers to the version and its frozen recipe."""

    place: VersionPlace
    trace: Trace
    known: References
    frozen: Frozen

    def explanation(self) -> Explanation:
        """Chapter by chapter."""
        trace, ref = self.trace, self.place.ref
        row = trace.pair or trace.reject
        try:
            manifest = find_manifest(self.place.store, ref)
        except ManifestConflict as error:
            raise ManifestConflict(f"{error}; `synth verify` says what else is wrong") from error
        chapters = list(self._common(row)) if row else [_waiting(trace)]
        chapters += list(_prompts(trace, row or trace.report, self.frozen))
        chapters += explain_version(manifest) if manifest else [_unpublished(ref, self.frozen)]
        return Explanation(ref, trace.sample_id, _outcome(trace), tuple(chapters))

    def _common(self, row: PairRow | RejectRow) -> Iterator[Chapter]:
        trace, store, ref = self.trace, self.place.store, self.place.ref
        key = ref.index(trace.shard) if trace.pair else ref.rejects(trace.shard)
        place = Place(trace.shard, store.uri(key), trace.position)
        used = {"selections": list(self._selections()), "runs": list(self._runs())} if trace.pair else {}
        yield Chapter("Text", (("FINDINGS", row.findings), ("IMPRESSION", row.impression)))
        yield from explain_sample(row, place, **used)
        if trace.tar:
            spans = [(name, f"{span.size} bytes from byte {span.offset}") for name, span in trace.files.items()]
            yield Chapter("Bytes", (("tar", store.uri(ref.key(trace.tar))), *spans))

    def _selections(self) -> Iterator[str]:
        for name in self.known.selections.get(str(self.place), []):
            choices = read_selection(self.place, name).choices
            choice = next((choice for choice in choices if choice.sample_id == self.trace.sample_id), None)
            if choice is None:
                yield f"{name} (says nothing of it)"
            else:
                yield name if choice.kept else f"{name} (dropped it: {choice.reason})"

    def _runs(self) -> Iterator[str]:
        """Runs that drew the sample; every draw is made again, exactly as the run made it."""
        drawn: dict[tuple[Draw, int], bool] = {}
        for training in self.known.trainings:
            for draw in training.of(self.place.ref):
                try:
                    if (draw, training.seed) not in drawn:
                        parts = open_subset(self.place.store, draw, training.seed).parts
                        drawn[draw, training.seed] = any(self.trace.sample_id in (part.ids or ()) for part in parts)
                except (ValueError, ObjectMissing, CorruptShard, ManifestConflict) as error:
                    yield f"{training}: unknown ({error})"
                    continue
                if drawn[draw, training.seed]:
                    yield str(training)


def _outcome(trace: Trace) -> str:
    if trace.pair:
        return "accepted"
    if trace.reject:
        return f"rejected at {trace.reject.stage} by gate {trace.reject.gate}"
    return "its report is written, its film is not drawn yet"


def _waiting(trace: Trace) -> Chapter:
    report = trace.report
    assert report is not None, trace.sample_id
    facts = [("FINDINGS", report.findings), ("IMPRESSION", report.impression), ("seed", str(report.seed))]
    facts += [("attempts", str(report.attempts)), ("shard", str(trace.shard))]
    facts += [("model", report.model)] if report.model else []
    return Chapter("Report", (*facts, *((gate.gate, gate_line(gate)) for gate in report.gates)))


def _prompts(trace: Trace, row: PairRow | RejectRow | ReportRow | None, frozen: Frozen) -> Iterator[Chapter]:
    """The seed of every attempt, from the recipe's fingerprint, and what a chat model was asked in the last one."""
    fingerprint, recipe = frozen
    if row is None or not fingerprint or "archive" in recipe:
        return
    tries = {"reports": trace.report.attempts if trace.report else 0}
    if trace.pair:
        tries = {"reports": trace.pair.report_attempts, "images": trace.pair.image_attempts}
    elif trace.reject:
        tries[trace.reject.stage] = trace.reject.attempts
    yield explain_attempts(fingerprint, trace.sample_id, tries)
    if trace.report is not None:
        asked = explain_prompts(trace.report, _kind(recipe))
        if asked.facts:
            yield asked


def _kind(recipe: dict[str, Any]) -> str:
    return str(recipe.get("reports", {}).get("generator", {}).get("kind", ""))


def _unpublished(ref: DatasetRef, frozen: Frozen) -> Chapter:
    fingerprint = frozen[0] or "unknown: recipe.yaml is missing"
    facts = (("dataset", str(ref)), ("fingerprint", fingerprint), ("published", "not yet: the run is not finished"))
    return Chapter("Version", facts)
