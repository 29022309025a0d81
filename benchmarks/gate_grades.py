"""What text gates are worth: how many planted errors each finds, and how often it objects to a good report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.planted_reports import COPY, ERRORS, Writer, plant
from benchmarks.public_corpora import Labelled
from models.contracts import Candidate, Gate, Mention, StatefulGate

ON_TEXT = ("impression_consistency", "repetition", "leakage", "lint", "length")
"""Gates whose score does not depend on the mentions that were requested."""
GatesWithThresholds = Sequence[tuple[Gate, float]]


@dataclass(frozen=True, slots=True)
class Finds:
    """One kind of error: how many were planted, how many its own gates found together, and each gate by name."""

    kind: str
    planted: int
    found: int
    by_gate: Mapping[str, int]

    @property
    def recall(self) -> float:
        """Share that the gates which answer for it found; NaN where none could be planted."""
        return self.found / self.planted if self.planted else float("nan")


@dataclass(frozen=True, slots=True)
class GateAudit:
    """Recall by kind of error, and each gate's share of good reports that it would reject."""

    reports: int
    finds: tuple[Finds, ...]
    false_alarms: Mapping[str, float]


def audit_gates(
    gates: GatesWithThresholds, asked: Sequence[tuple[Mention, ...]], writer: Writer, seed: int = 0
) -> GateAudit:
    """Write a good report for each of `asked`, and one with each kind of error; count what the gates say.

    Args:
        gates: text gates, each with the score that it takes to pass.
        asked: what each report must state.
        writer: writes FINDINGS and IMPRESSION that state all of it.
        seed: of the words, and of what is planted where.
    """
    rng = np.random.default_rng(seed)
    good = [
        Candidate(f"good-{number}", mentions, *writer(mentions, np.random.default_rng((seed, number))))
        for number, mentions in enumerate(asked)
    ]
    finds = []
    for kind, error in ERRORS.items():
        bad = [_bad(kind, candidate, writer, rng) for candidate in good]
        objections = _objections(gates, [candidate for candidate in bad if candidate], good if kind == COPY else ())
        found = {place for name in error.gates for place in objections.get(name, ())}
        planted = sum(candidate is not None for candidate in bad)
        finds.append(Finds(kind, planted, len(found), {name: len(places) for name, places in objections.items()}))
    alarms = {name: len(places) / max(1, len(good)) for name, places in _objections(gates, good, ()).items()}
    return GateAudit(len(good), tuple(finds), alarms)


def undisputed(reports: Sequence[Labelled]) -> list[Candidate]:
    """Real reports that no gate on the text should object to: both sections, and no de-identification mark."""
    split = [(report.name, *report.text.removeprefix("FINDINGS: ").split("\n\nIMPRESSION: ")) for report in reports]
    return [
        Candidate(name, (), findings, impression)
        for name, findings, impression in split
        if findings and impression and "XXXX" not in findings + impression
    ]


def _bad(kind: str, good: Candidate, writer: Writer, rng: np.random.Generator) -> Candidate | None:
    if kind != COPY:
        return plant(kind, good.mentions, writer, rng, f"bad-{good.sample_id}")
    edit = ERRORS[kind].edit
    assert edit is not None, kind
    findings, impression = edit(good.findings, good.impression, rng)
    return replace(good, sample_id=f"copy-{good.sample_id}", findings=findings, impression=impression)


def _objections(
    gates: GatesWithThresholds, batch: Sequence[Candidate], known: Sequence[Candidate]
) -> dict[str, set[int]]:
    """The places in `batch` that each gate would reject."""
    result: dict[str, set[int]] = {}
    for gate, threshold in gates:
        if isinstance(gate, StatefulGate):
            gate.reset()
            gate.update(known)
        scores = gate.score(batch)
        result[gate.name] = {place for place, score in enumerate(scores) if not score.score >= threshold}
    return result
