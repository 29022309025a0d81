"""Say each finding of a label set the way a report would, and what a normal film would be called.

The contrast is with a normal film and not with the finding's own negation (CheXzero), because a report names
what is absent for a few findings only: no archive labels "no pacemaker". Chosen on films of hospital B that are in
no test set (seed 21), the best of four scoring rules there, for all arms alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from models.findings.finding import Finding, phrase
from models.findings.label_sets import Label, LabelSet, load

DEFAULT = "phantom"
"""The label set of a test set that names none, as those of older stores do."""
POSITIVE = ("{}.", "There is {}.")
NORMAL = ("No acute cardiopulmonary abnormality.", "Normal chest radiograph.", "The lungs are clear.")


@dataclass(frozen=True, slots=True)
class FindingPrompts:
    """The prompts of one finding; a score is the cosine with the first set's mean less that with the second's."""

    label: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def prompts_for(
    label_set: LabelSet | str = DEFAULT, labels: Iterable[str] | None = None, where: str = "labels"
) -> tuple[FindingPrompts, ...]:
    """Prompts of the findings of a label set, in its order.

    Args:
        label_set: the set, its name, or the path of a file with one.
        labels: those of a test set; prompts are made for the findings among them. None: for every finding.
        where: what has these labels, for the message.

    Raises:
        UnknownLabelSet: there is no such set.
        TableError: the file holds no label set.
        UnknownLabels: labels that the set does not have, all named, with those that it has.
    """
    known = load(label_set or DEFAULT) if isinstance(label_set, str) else label_set
    wanted = set(known.names)
    if labels is not None:
        named = list(labels)
        known.check(named, where)
        wanted = {label.name for label in map(known.find, named) if label is not None}
    return tuple(prompts_of(label) for label in known.labels if label.name in wanted)


def prompts_of(label: Label) -> FindingPrompts:
    """Prompts of one finding in all its words, sides, zones and severities."""
    variants = dict.fromkeys(
        phrase(Finding(words, side, zone, severity))
        for words, side, zone, severity in product(
            label.prompts, (None, *label.sides), (None, *label.zones), (None, *label.severities)
        )
        if zone is None or side is not None
    )
    return FindingPrompts(
        label.name,
        tuple(template.format(variant) for variant in variants for template in POSITIVE),
        NORMAL,
    )


def all_prompts(label_set: LabelSet | str = DEFAULT) -> tuple[FindingPrompts, ...]:
    """Prompts of every finding of a label set, in its order."""
    return prompts_for(label_set)
