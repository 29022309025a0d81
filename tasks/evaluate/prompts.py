"""Prompts of each finding of a label set, in three sets, and what the finding is contrasted with, by three rules.

The default is the set ``report`` with the rule ``normal``: the contrast is with a normal film and not with the
finding's own negation (CheXzero), because a report names what is absent for a few findings only: no archive labels "no
pacemaker". Chosen on films of hospital B that are in no test set (seed 21), the best of four scoring rules there, for
all arms alike. Scores move with the wording, so several sets should be reported with the spread between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from models.findings.finding import Finding, phrase
from models.findings.label_sets import Label, LabelSet, load

PromptSetName = Literal["report", "label", "caption"]
Rule = Literal["normal", "pair", "max"]

DEFAULT = "phantom"
"""The label set of a test set that names none, as those of older stores do."""
POSITIVE = ("{}.", "There is {}.")
NORMAL = ("No acute cardiopulmonary abnormality.", "Normal chest radiograph.", "The lungs are clear.")


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Sentence forms, in which ``{}`` stands for the finding.

    Args:
        positive: of a film with the finding.
        negated: of a film without it.
        normal: of a film without any finding.
        words: what stands for the finding: its ``name`` in the label set, each of its ``phrases``, or these in all
            ``variants`` of side, zone and severity.
    """

    positive: tuple[str, ...]
    negated: tuple[str, ...]
    normal: tuple[str, ...]
    words: Literal["name", "phrases", "variants"]


SETS: Mapping[PromptSetName, PromptSet] = {
    "report": PromptSet(POSITIVE, ("No {}.", "There is no {}."), NORMAL, "variants"),
    "label": PromptSet(("{}",), ("no {}",), ("normal",), "name"),
    "caption": PromptSet(
        ("a chest X-ray that shows {}", "a radiograph of someone who has {}"),
        ("a chest X-ray that does not show {}", "a radiograph of someone who does not have {}"),
        ("a chest X-ray that shows nothing unusual", "a radiograph of someone who is healthy"),
        "phrases",
    ),
}
"""``report`` in the words of a report, ``label`` the bare label, ``caption`` in sentence forms that no report has."""


@dataclass(frozen=True, slots=True)
class FindingPrompts:
    """The prompts of one finding, and those that it is contrasted with; none by the rule ``max``."""

    label: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def prompts_for(
    label_set: LabelSet | str = DEFAULT,
    labels: Iterable[str] | None = None,
    where: str = "labels",
    prompts: PromptSetName = "report",
    rule: Rule = "normal",
) -> tuple[FindingPrompts, ...]:
    """Prompts of the findings of a label set, in its order.

    Args:
        label_set: the set, its name, or the path of a file with one.
        labels: those of a test set; prompts are made for the findings among them. None: for every finding.
        where: what has these labels, for the message.
        prompts: sentence forms, of `SETS`.
        rule: what a finding is contrasted with: ``normal`` films, its own negation (``pair``), or nothing (``max``).

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
    return tuple(prompts_of(label, prompts, rule) for label in known.labels if label.name in wanted)


def prompts_of(label: Label, prompts: PromptSetName = "report", rule: Rule = "normal") -> FindingPrompts:
    """Prompts of one finding, and what the rule contrasts them with."""
    forms = SETS[prompts]
    words = _words(label, forms)
    against = {"normal": forms.normal, "pair": _filled(forms.negated, words), "max": ()}
    return FindingPrompts(label.name, _filled(forms.positive, words), against[rule])


def _words(label: Label, forms: PromptSet) -> tuple[str, ...]:
    if forms.words == "name":
        return (label.name.replace("_", " ").lower(),)
    if forms.words == "phrases":
        return tuple(dict.fromkeys(label.prompts))
    variants = dict.fromkeys(
        phrase(Finding(words, side, zone, severity))
        for words, side, zone, severity in product(
            label.prompts, (None, *label.sides), (None, *label.zones), (None, *label.severities)
        )
        if zone is None or side is not None
    )
    return tuple(variants)


def _filled(forms: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(form.format(word) for word in words for form in forms)


def all_prompts(
    label_set: LabelSet | str = DEFAULT, prompts: PromptSetName = "report", rule: Rule = "normal"
) -> tuple[FindingPrompts, ...]:
    """Prompts of every finding of a label set, in its order."""
    return prompts_for(label_set, prompts=prompts, rule=rule)
