"""Word findings as an IMPRESSION would, in many ways: the text that the text tower learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.phantom.vocabulary import KINDS, LABELS, Finding, phrase

NORMAL = ("No acute cardiopulmonary abnormality.", "No acute cardiopulmonary process.", "Normal chest radiograph.", "")
JOINS = (", ", " and ", ", and ", "; ", ". ", ".\n", " with ")
DENIALS = ("No {}", "There is no {}", "No evidence of {}", "Without {}")
MOST = 4


def random_findings(dice: np.random.Generator, most: int = MOST) -> list[Finding]:
    """Any combination of up to `most` findings with any attributes; some say nothing of an attribute."""
    count = int(dice.integers(0 if dice.random() < 0.1 else 1, most + 1))
    findings = []
    for place in dice.permutation(len(KINDS))[:count]:
        kind = KINDS[int(place)]
        values = [_pick(options, dice) for options in (kind.sides, kind.zones, kind.severities)]
        findings.append(Finding(kind.name, *values))
    return findings


def _pick(options: Sequence[str], dice: np.random.Generator) -> str | None:
    return str(dice.choice(options)) if options and dice.random() > 0.06 else None


def plain_impression(findings: Sequence[Finding], dice: np.random.Generator) -> str:
    """The findings' canonical phrases, joined as grammars and language models join them."""
    if not findings:
        return str(dice.choice(NORMAL))
    words = [phrase(finding) for finding in findings]
    dice.shuffle(words)
    text = words[0].capitalize() if dice.random() < 0.9 else words[0]
    for more in words[1:]:
        join = str(dice.choice(JOINS))
        text += join + (more.capitalize() if join.strip() == "." else more)
    if dice.random() < 0.15:
        named = {finding.name for finding in findings}
        absent = str(dice.choice([label for label in LABELS if label not in named]))
        text += ". " + str(dice.choice(DENIALS)).format(absent)
    return text + ("." if dice.random() < 0.9 else "")


def writer(
    archive: Sequence[tuple[str, tuple[Finding, ...]]], share: float = 0.4, seed: int = 5
) -> Callable[[int], tuple[str, list[Finding]]]:
    """A function from n to the n-th text with its findings: `share` of them from `archive`, the rest plain."""

    def write(index: int) -> tuple[str, list[Finding]]:
        dice = np.random.default_rng((seed, index))
        if archive and dice.random() < share:
            text, findings = archive[int(dice.integers(len(archive)))]
            return text, list(findings)
        findings = random_findings(dice)
        return plain_impression(findings, dice), findings

    return write
