"""The figures that card and report show, from the rows themselves."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from storage.records import Manifest, PairRow, RejectRow


@dataclass(frozen=True, slots=True)
class GateFigures:
    """One gate: its threshold, the scores of accepted samples, and how many samples ended here."""

    name: str
    threshold: float
    lowest: float
    median: float
    rejected: int


@dataclass(frozen=True, slots=True)
class EntityBar:
    """One entity: planned and accepted samples that ask for it."""

    name: str
    planned: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's wall clock in seconds over all shards, and accepted pairs per second of it."""

    name: str
    seconds: float
    rate: float


def gate_figures(pairs: Sequence[PairRow], rejects: Sequence[RejectRow]) -> list[GateFigures]:
    """Every gate that scored or refused something, in the order in which samples meet them."""
    scores: dict[str, list[float]] = {}
    thresholds: dict[str, float] = {}
    for row in (*pairs, *rejects):
        for gate in row.gates:
            thresholds[gate.gate] = gate.threshold
            scores.setdefault(gate.gate, [])
    for pair in pairs:
        for gate in pair.gates:
            scores[gate.gate].append(gate.score)
    refused = Counter(row.gate for row in rejects)
    for row in rejects:
        thresholds.setdefault(row.gate, row.threshold)
        scores.setdefault(row.gate, [])
    nothing = float("nan")
    return [
        GateFigures(
            name, thresholds[name], min(s, default=nothing), statistics.median(s) if s else nothing, refused[name]
        )
        for name, s in scores.items()
    ]


def entity_bars(planned: Mapping[str, int], accepted: Mapping[str, int]) -> list[EntityBar]:
    """Entities of the plan and of the accepted pairs, the most accepted first."""
    names = planned.keys() | accepted.keys()
    bars = [EntityBar(name, planned.get(name, 0), accepted.get(name, 0)) for name in names]
    return sorted(bars, key=lambda bar: (-bar.accepted, -bar.planned, bar.name))


def entity_counts(rows: Iterable[PairRow | RejectRow]) -> dict[str, int]:
    """How many rows ask for each entity."""
    return dict(Counter(entity for row in rows for entity in row.entities))


def stages(manifest: Manifest) -> list[Stage]:
    """Wall clock by stage, in the order in which the shards name them."""
    total: dict[str, float] = {}
    for shard in manifest.shards:
        for name, seconds in shard.seconds.items():
            total[name] = total.get(name, 0.0) + seconds
    return [Stage(name, value, manifest.accepted / value if value else 0.0) for name, value in total.items()]


def yields(manifest: Manifest) -> dict[str, str]:
    """Acceptance, and the spread of entity counts among accepted pairs."""
    tried = manifest.accepted + manifest.rejected
    counts = manifest.entity_counts.values()
    found = {}
    if tried:
        found["acceptance"] = f"{manifest.accepted / tried:.1%}"
    if counts and min(counts):
        found["entity counts, max/min"] = f"{max(counts) / min(counts):.2f}"
    return found
