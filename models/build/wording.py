"""Word findings as an IMPRESSION would, in many ways: the text that the text tower learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.phantom.vocabulary import KINDS, LABELS, Finding, phrase

NORMAL = ("No acute cardiopulmonary abnormality.", "No acute cardiopulmonary process.", "Normal chest radiograph.", "")
JOINS = (", ", " and ", ", and ", "; ", ". ", ".\n", " with ")
DENIALS = ("No {}", "There is no {}", "No evidence of {}", "Without {}")
MOST = 4


def random_findings(rng: np.random.Generator, most: int = MOST) -> list[Finding]:
    """Any combination of up to `most` findings with any attributes; some leave an attribute out."""
    count = int(rng.integers(0 if rng.random() < 0.1 else 1, most + 1))
    findings = []
    for place in rng.permutation(len(KINDS))[:count]:
        kind = KINDS[int(place)]
        values = [_pick(options, rng) for options in (kind.sides, kind.zones, kind.severities)]
        findings.append(Finding(kind.name, *values))
    return findings


def _pick(options: Sequence[str], rng: np.random.Generator) -> str | None:
    return str(rng.choice(options)) if options and rng.random() > 0.06 else None


def plain_impression(findings: Sequence[Finding], rng: np.random.Generator) -> str:
    """The findings' canonical phrases, joined as grammars and language models join them."""
    if not findings:
        return str(rng.choice(NORMAL))
    words = [phrase(finding) for finding in findings]
    rng.shuffle(words)
    text = words[0].capitalize() if rng.random() < 0.9 else words[0]
    for more in words[1:]:
        join = str(rng.choice(JOINS))
        text += join + (more.capitalize() if join.strip() == "." else more)
    if rng.random() < 0.15:
        named = {finding.name for finding in findings}
        absent = str(rng.choice([label for label in LABELS if label not in named]))
        text += ". " + str(rng.choice(DENIALS)).format(absent)
    return text + ("." if rng.random() < 0.9 else "")


def writer(
    archive: Sequence[tuple[str, tuple[Finding, ...]]], share: float = 0.4, seed: int = 5
) -> Callable[[int], tuple[str, list[Finding]]]:
    """A function from n to the n-th text with its findings: `share` of them from `archive`, the rest plain."""

    def write(index: int) -> tuple[str, list[Finding]]:
        rng = np.random.default_rng((seed, index))
        if archive and rng.random() < share:
            text, findings = archive[int(rng.integers(len(archive)))]
            return text, list(findings)
        findings = random_findings(rng)
        return plain_impression(findings, rng), findings

    return write
