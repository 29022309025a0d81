"""Decide which pairs of a dataset are used, from their rows alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from storage.records import PairRow, Record
from tasks.curate.rules import Rules


class Choice(Record):
    """One pair: kept or not, and why not."""

    sample_id: str
    kept: bool
    reason: str = ""


class Selection(Record):
    """A decision about every pair of a dataset version, in the order of the pairs."""

    rules: Rules
    choices: list[Choice]

    @property
    def kept(self) -> list[str]:
        """Ids of the pairs to use."""
        return [choice.sample_id for choice in self.choices if choice.kept]

    @property
    def reasons(self) -> dict[str, int]:
        """How many pairs each reason dropped."""
        return dict(Counter(choice.reason.split(":")[0] for choice in self.choices if not choice.kept))


def curate(pairs: Sequence[PairRow], rules: Rules | None = None) -> Selection:
    """Keep what passes its gates and is not one copy too many; earlier pairs win.

    A pair that a gate drops does not use up the place of its copies.

    Raises:
        ValueError: two pairs have the same id, or a threshold names a gate that no pair was scored by.
    """
    rules = rules or Rules()
    _check(pairs, rules)
    images: Counter[str] = Counter()
    reports: Counter[str] = Counter()
    choices = []
    for pair in pairs:
        report = _normal(f"{pair.findings} | {pair.impression}")
        reason = _refused(pair, rules) if rules.gates else ""
        if not reason and images[pair.png_sha256] >= rules.same_image:
            reason = f"same image: more than {rules.same_image} pairs show it"
        if not reason and reports[report] >= rules.same_report:
            reason = f"same report: more than {rules.same_report} pairs hold it"
        if not reason:
            images[pair.png_sha256] += 1
            reports[report] += 1
        choices.append(Choice(sample_id=pair.sample_id, kept=not reason, reason=reason))
    return Selection(rules=rules, choices=choices)


def _refused(pair: PairRow, rules: Rules) -> str:
    for gate in pair.gates:
        threshold = rules.thresholds.get(gate.gate, gate.threshold)
        if math.isnan(gate.score) or gate.score < threshold:
            return f"gate {gate.gate}: {gate.score:.4g} is below {threshold:.4g}"
    return ""


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _check(pairs: Sequence[PairRow], rules: Rules) -> None:
    repeated = [sample for sample, times in Counter(pair.sample_id for pair in pairs).items() if times > 1]
    if repeated:
        raise ValueError(f"sample ids must be unique: {repeated[0]!r} occurs more than once")
    known = _gates(pairs)
    unknown = sorted(set(rules.thresholds) - known)
    if unknown and pairs:
        raise ValueError(
            f"no pair was scored by gate {unknown[0]!r}; scored were {', '.join(sorted(known)) or 'none'}"
        )


def _gates(pairs: Iterable[PairRow]) -> set[str]:
    return {gate.gate for pair in pairs for gate in pair.gates}
