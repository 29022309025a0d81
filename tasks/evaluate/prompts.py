"""Say each finding the way a report would, and what a normal film would be called.

The contrast is with a normal film and not with the finding's own negation (CheXzero), because a report names
what is absent for a few findings only: no archive says "no pacemaker". Chosen on films of hospital B that are in
no test set (seed 21), the best of four scoring rules there, for all arms alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from models.phantom.vocabulary import BY_NAME, LABELS, Finding, phrase

POSITIVE = ("{}.", "There is {}.")
NORMAL = ("No acute cardiopulmonary abnormality.", "Normal chest radiograph.", "The lungs are clear.")


@dataclass(frozen=True, slots=True)
class FindingPrompts:
    """The prompts of one finding; a score is the cosine with the first set's mean less that with the second's."""

    label: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def prompts_for(label: str) -> FindingPrompts:
    """Prompts of one finding in all its sides, zones and severities.

    Raises:
        ValueError: the phantom vocabulary does not know the finding.
    """
    if label not in BY_NAME:
        raise ValueError(f"unknown finding {label!r}; known: {', '.join(LABELS)}")
    kind = BY_NAME[label]
    variants = dict.fromkeys(
        phrase(Finding(label, side, zone, severity))
        for side, zone, severity in product(
            (None, *kind.sides), (None, *kind.zones), (None, *kind.severities)
        )
        if zone is None or side is not None
    )  # fmt: skip
    return FindingPrompts(
        label,
        tuple(template.format(variant) for variant in variants for template in POSITIVE),
        NORMAL,
    )


def all_prompts(labels: tuple[str, ...] = LABELS) -> tuple[FindingPrompts, ...]:
    """Prompts of every finding, in the order of `labels`."""
    return tuple(prompts_for(label) for label in labels)
