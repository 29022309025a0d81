"""The figures that card and report show, gathered from the rows in one pass whose memory the caller bounds."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from models.contracts import EntityType
from storage.records import Manifest, PairRow, RejectRow, ShardEntry
from tasks.plan.spec import LEFT_OUT
from tasks.publish.provenance import Place

BINS = 24
REJECTS = 200
TYPES = {kind.value for kind in EntityType}
_NO_TYPE = "other"
_STAGES = {"reports": 0, "images": 1}


@dataclass(frozen=True, slots=True)
class GateFigures:
    """One gate: its threshold, the scores of accepted samples, and how many samples ended here.

    `accepted` and `refused` count finite scores in `BINS` equal bins from `low` to `high`: those of accepted
    samples, and those that fell below the threshold. `not_judged` counts accepted samples with an entity that the gate
    does not know.
    """

    name: str
    threshold: float
    lowest: float
    median: float
    rejected: int
    low: float
    high: float
    accepted: tuple[int, ...]
    refused: tuple[int, ...]
    not_judged: int = 0


@dataclass(frozen=True, slots=True)
class EntityBar:
    """One entity: samples that ask for it in the plan, and among the accepted."""

    name: str
    planned: int
    accepted: int


@dataclass(frozen=True, slots=True)
class EntityGroup:
    """The entities of one type, the most accepted first, and the spread of their counts before and after the gates."""

    type: str
    bars: tuple[EntityBar, ...]
    planned_spread: float
    accepted_spread: float


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: samples that entered, samples that left, what was made for them, and wall clock over all shards."""

    name: str
    entered: int
    left: int
    made: int
    seconds: float
    rate: float


@dataclass(slots=True)
class Tally:
    """What the rows of a version come to; feed it every row, then read it.

    `rejects` keeps the first `REJECTS` rejected rows; everything else is counts and one float per score.
    """

    planned: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    rejected_at: Counter[str] = field(default_factory=Counter)
    rejected_in: Counter[str] = field(default_factory=Counter)
    rejects: list[tuple[RejectRow, Place]] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)
    not_judged: Counter[str] = field(default_factory=Counter)
    _passed: dict[str, array[float]] = field(default_factory=dict)
    _failed: dict[str, array[float]] = field(default_factory=dict)

    def add(self, shard: ShardEntry, pairs: Iterable[PairRow], rejects: Iterable[RejectRow]) -> None:
        """Count the rows of a shard."""
        for pair in pairs:
            self.planned.update(pair.entities)
            self.accepted.update(pair.entities)
            self._score(pair, self._passed)
            self.not_judged.update(gate.gate for gate in pair.gates if gate.not_judged)
        for offset, row in enumerate(rejects):
            self.planned.update(row.entities)
            self.rejected_at[row.gate] += 1
            self.rejected_in[row.stage] += 1
            self.thresholds.setdefault(row.gate, row.threshold)
            self._score(row, self._failed)
            if len(self.rejects) < REJECTS:
                self.rejects.append((row, Place(shard.shard, shard.rejects.key, offset)))

    def gates(self) -> list[GateFigures]:
        """Every gate that scored or refused something, in the order in which samples meet them."""
        return [self._gate(name) for name in self.thresholds]

    def _score(self, row: PairRow | RejectRow, scores: dict[str, array[float]]) -> None:
        for gate in row.gates:
            self.thresholds.setdefault(gate.gate, gate.threshold)
            if gate.score is not None and gate.passed is (scores is self._passed):
                scores.setdefault(gate.gate, array("d")).append(gate.score)

    def _gate(self, name: str) -> GateFigures:
        passed, failed = (np.asarray(scores.get(name, ()), float) for scores in (self._passed, self._failed))
        threshold = self.thresholds[name]
        ends = np.array([0.0, 1.0, threshold, *passed, *failed])
        low, high = float(np.min(ends[np.isfinite(ends)])), float(np.max(ends[np.isfinite(ends)]))
        count = [np.histogram(part[np.isfinite(part)], BINS, (low, high))[0].tolist() for part in (passed, failed)]
        lowest, median = (float(passed.min()), float(np.median(passed))) if passed.size else (float("nan"),) * 2
        return GateFigures(
            name, threshold, lowest, median, self.rejected_at[name], low, high, tuple(count[0]), tuple(count[1]),
            self.not_judged[name],
        )  # fmt: skip


def entity_groups(planned: Mapping[str, int], accepted: Mapping[str, int]) -> list[EntityGroup]:
    """Entities by the type that stands before the slash of their id."""
    groups: dict[str, list[EntityBar]] = {}
    for name in planned.keys() | accepted.keys():
        kind = name.partition("/")[0]
        bar = EntityBar(name, planned.get(name, 0), accepted.get(name, 0))
        groups.setdefault(kind if kind in TYPES else _NO_TYPE, []).append(bar)
    return [
        EntityGroup(
            kind,
            tuple(sorted(bars, key=lambda bar: (-bar.accepted, -bar.planned, bar.name))),
            spread([bar.planned for bar in bars]),
            spread([bar.accepted for bar in bars]),
        )
        for kind, bars in sorted(groups.items())
    ]


def spread(counts: Iterable[int]) -> float:
    """Most over fewest; infinite when something has none, NaN when there is nothing."""
    values = list(counts)
    if not values:
        return float("nan")
    return max(values) / min(values) if min(values) else float("inf")


def stages(manifest: Manifest, rejected_in: Mapping[str, int]) -> list[Stage]:
    """Stages in the order in which samples meet them, each with its yield.

    Args:
        manifest: of the version.
        rejected_in: rejected samples by stage.
    """
    seconds: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for shard in manifest.shards:
        seconds.update(shard.seconds)  # type: ignore[arg-type]  # a Counter adds floats as well
        made.update(shard.counts)
    found, entered = [], manifest.accepted + manifest.rejected
    for name, value in sorted(seconds.items(), key=lambda item: _STAGES.get(item[0], len(_STAGES))):
        left = entered - rejected_in.get(name, 0)
        drafts = made.get(f"{name}.drafts", made.get(f"{name}.films", 0))
        found.append(Stage(name, entered, left, drafts, value, left / value if value else 0.0))
        entered = left
    return found


def yields(manifest: Manifest, planned: Iterable[str] = ()) -> dict[str, str]:
    """Acceptance, the spread of entity counts among accepted pairs, and how often the plan left an entity out.

    Args:
        manifest: of the version.
        planned: every entity of the plan; one that is in no accepted pair counts as none.
    """
    tried = manifest.accepted + manifest.rejected
    found = {"acceptance": f"{manifest.accepted / tried:.1%}"} if tried else {}
    counts = [manifest.entity_counts.get(name, 0) for name in {*planned, *manifest.entity_counts}]
    if counts:
        found["entities, most / fewest"] = f"{spread(counts):.2f}" if min(counts) else f"{max(counts)} / 0"
    left = sum(shard.counts.get(LEFT_OUT, 0) for shard in manifest.shards)
    if left:
        found["times an entity fitted no sample and another of its type was dealt"] = str(left)
    return found
