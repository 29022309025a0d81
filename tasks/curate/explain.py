"""Say what each rule of a selection removed."""

from __future__ import annotations

import math

import numpy as np

from storage.records import Record
from tasks.curate.select import Selection
from tasks.curate.table import PairTable

_ORDER = ("gate", "same image", "same report", "near image", "near film", "near report", "top", "utility", "balance",
          "cap")  # fmt: skip


class Removal(Record):
    """What one rule did: pairs it saw, pairs it removed, and one of them with the reason."""

    rule: str
    seen: int
    removed: int
    example: str
    why: str

    @property
    def left(self) -> int:
        """Pairs that it kept."""
        return self.seen - self.removed


def explain(selection: Selection) -> list[Removal]:
    """One line a rule that removed something, in the order in which the rules were applied.

    Gates count separately, in the order of how much they removed; the first that refuses a pair is the one named.
    """
    removed = selection.reasons
    first = {}
    for choice in selection.choices:
        if not choice.kept:
            first.setdefault(choice.reason.split(":")[0], choice)
    seen, lines = len(selection.choices), []
    for rule in sorted(removed, key=lambda rule: (_place(rule), -removed[rule], rule)):
        why = first[rule].reason.partition(": ")[2]
        lines.append(Removal(rule=rule, seen=seen, removed=removed[rule], example=first[rule].sample_id, why=why))
        seen -= removed[rule]
    return lines


def spread(table: PairTable, selection: Selection) -> tuple[float, float]:
    """Pairs of the most over pairs of the least common finding, before and after; infinite where one is lost."""
    kept = np.array([choice.kept for choice in selection.choices], bool)
    before, after = table.counts(np.ones(len(table), bool)), table.counts(kept)
    counts = (list(before.values()), [after.get(finding, 0) for finding in before])
    first, last = (max(c) / min(c) if c and min(c) else math.inf for c in counts)
    return first, last


def _place(rule: str) -> int:
    return _ORDER.index("gate" if rule.startswith("gate ") else rule)
