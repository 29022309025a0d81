"""The findings the phantom hospital knows: names, types and the attributes each can take.

The order of `LABELS` is the order of every label vector in the project.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.contracts import EntityType

SIDES = ("left", "right")
ZONES = ("upper zone", "mid zone", "lower zone")


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind of finding; empty tuples mean that the attribute makes no sense for it."""

    name: str
    type: EntityType
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    device: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in one film. Attributes come from its kind's tuples or are None."""

    name: str
    side: str | None = None
    zone: str | None = None
    severity: str | None = None


_A, _D, _N = EntityType.ABNORMALITY, EntityType.DISEASE, EntityType.NON_ABNORMALITY
KINDS: tuple[FindingKind, ...] = (
    FindingKind("pleural effusion", _A, SIDES, (), ("small", "moderate", "large")),
    FindingKind("consolidation", _A, SIDES, ZONES, ("patchy", "dense")),
    FindingKind("atelectasis", _A, SIDES, ZONES[1:], ("mild", "marked")),
    FindingKind("lung nodule", _A, SIDES, ZONES, ("small", "large")),
    FindingKind("lung mass", _A, SIDES, ZONES),
    FindingKind("hilar enlargement", _A, SIDES),
    FindingKind("widened mediastinum", _A, (), (), ("mildly", "markedly")),
    FindingKind("hemidiaphragm elevation", _A, SIDES, (), ("mild", "marked")),
    FindingKind("pneumothorax", _D, SIDES, (), ("small", "moderate", "large")),
    FindingKind("cardiomegaly", _D, (), (), ("mild", "moderate", "severe")),
    FindingKind("pulmonary edema", _D, (), (), ("mild", "moderate", "severe")),
    FindingKind("emphysema", _D, (), (), ("mild", "severe")),
    FindingKind("pulmonary fibrosis", _D, (), (), ("mild", "severe")),
    FindingKind("scoliosis", _D, (), (), ("mild", "severe")),
    FindingKind("hiatal hernia", _D, (), (), ("small", "large")),
    FindingKind("pacemaker", _N, SIDES, device=True),
    FindingKind("endotracheal tube", _N, device=True),
    FindingKind("central venous catheter", _N, SIDES, device=True),
)
LABELS: tuple[str, ...] = tuple(kind.name for kind in KINDS)
BY_NAME: dict[str, FindingKind] = {kind.name: kind for kind in KINDS}


def phrase(finding: Finding) -> str:
    """The canonical noun phrase, such as ``moderate left pleural effusion``.

    A zone stands before the finding with its side: ``dense right upper zone consolidation``.
    """
    words = (finding.severity, finding.side, finding.zone, finding.name)
    return " ".join(word for word in words if word)
