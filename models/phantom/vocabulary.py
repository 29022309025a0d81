"""The findings that the phantom hospital draws: the label set ``phantom``, with the attributes that each can take.

The order of `LABELS` is the order of every label vector of the shipped networks.
"""

from __future__ import annotations

from models.findings.finding import Finding, phrase
from models.findings.label_sets import Label, load

__all__ = ["BY_NAME", "KINDS", "LABELS", "SIDES", "ZONES", "Finding", "phrase"]

SIDES = ("left", "right")
ZONES = ("upper zone", "mid zone", "lower zone")
KINDS: tuple[Label, ...] = load("phantom").labels
LABELS: tuple[str, ...] = tuple(label.name for label in KINDS)
BY_NAME: dict[str, Label] = {label.name: label for label in KINDS}
