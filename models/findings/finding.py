"""One finding in one film, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in one film. Attributes are of those that its label can take, or None."""

    name: str
    side: str | None = None
    zone: str | None = None
    severity: str | None = None


def phrase(finding: Finding) -> str:
    """The canonical noun phrase, such as ``moderate left pleural effusion``.

    A zone stands before the finding with its side: ``dense right upper zone consolidation``.
    """
    words = (finding.severity, finding.side, finding.zone, finding.name)
    return " ".join(word for word in words if word)
