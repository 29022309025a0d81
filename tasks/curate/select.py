"""Decide which pairs of a dataset are used, from their rows alone."""

from __future__ import annotations

from collections import Counter

import numpy as np

from storage.records import Record
from tasks.curate import copies, targets
from tasks.curate.near import Near
from tasks.curate.table import PairTable
from tasks.recipe.curation import Rules

ORDER = (
    copies.refused, copies.same_image, copies.same_report, copies.near_image, copies.near_film, copies.near_report,
    targets.top, targets.utility, targets.balance, targets.caps,
)  # fmt: skip


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
        """How many pairs each rule dropped."""
        return dict(Counter(choice.reason.split(":")[0] for choice in self.choices if not choice.kept))


def curate(table: PairTable, rules: Rules | None = None, near: Near | None = None) -> Selection:
    """Apply the rules in turn, each to what the ones before it left.

    A pair that one rule drops does not use up a place that a later rule counts.

    Args:
        table: the pairs.
        rules: what to keep.
        near: neighbours, for the rules that need them.

    Raises:
        ValueError: a rule names a gate or a finding that no pair has, or needs neighbours that were not measured.
    """
    rules, near = rules or Rules(), near or Near()
    kept = np.ones(len(table), bool)
    state, reasons = copies.State(table, rules, near, kept), [""] * len(table)
    for rule in ORDER:
        for row, reason in list(rule(state)):
            kept[row], reasons[row] = False, reason
    ids = table.pairs["sample_id"].to_list()
    choices = [
        Choice(sample_id=sample, kept=keep, reason=reason)
        for sample, keep, reason in zip(ids, kept.tolist(), reasons, strict=True)
    ]
    return Selection(rules=rules, choices=choices)
