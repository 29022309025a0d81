"""Draw cases: which findings a film shows, where, and whether the film is spoilt.

A case is a pure function of hospital, archive seed and index. Whether a label occurs is drawn from a
Kronecker sequence (one phase and one irrational step per label) instead of independent coins: the
marginals and pairs are those of independent draws, but even a label with 45 films in 20,000 has its
share in every archive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt

import numpy as np

from models.phantom.defects import DEFECTS
from models.phantom.hospital import HOSPITAL_A, HOSPITAL_B, HOSPITALS, Appearance, Hospital
from models.phantom.rng import chance, digest, stream
from models.phantom.vocabulary import BY_NAME, LABELS, Finding

__all__ = ["HOSPITALS", "HOSPITAL_A", "HOSPITAL_B", "Appearance", "Case", "Hospital", "draw_case"]

MOST_FINDINGS = 5
EXCLUSIONS: tuple[tuple[str, str], ...] = (
    ("emphysema", "pulmonary edema"),
    ("emphysema", "cardiomegaly"),
    ("emphysema", "hemidiaphragm elevation"),
    ("emphysema", "pulmonary fibrosis"),
    ("pulmonary fibrosis", "pulmonary edema"),
    ("hemidiaphragm elevation", "hiatal hernia"),
)
HIDDEN_BY_SPACE = ("consolidation", "atelectasis", "lung nodule", "lung mass", "hemidiaphragm elevation")
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61)
_STEPS = {label: sqrt(prime) % 1.0 for label, prime in zip(LABELS, _PRIMES, strict=True)}
_DEFECT_STEP = sqrt(67) % 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """One film to render; body and exposure follow from its `rng`, not from its findings."""

    hospital: str
    seed: int
    index: int
    findings: tuple[Finding, ...]
    defect: str | None = None

    def rng(self, purpose: str) -> np.random.Generator:
        """The random stream for one purpose, the same whatever the findings are."""
        return stream(self.hospital, self.seed, self.index, purpose)


@lru_cache(maxsize=4096)
def _phase(hospital: str, seed: int, label: str) -> float:
    return (digest(hospital, seed, label, "phase") >> 64) / 2**64


def draw_case(hospital: Hospital, seed: int, index: int) -> Case:
    """The case at `index` of the archive that `hospital` and `seed` name."""
    rng = stream(hospital.name, seed, index, "case")
    findings = _settle_sides([draw_finding(label, rng) for label in labels_of(hospital, seed, index)])
    spoilt = (_phase(hospital.name, seed, "defect") + index * _DEFECT_STEP) % 1.0 < hospital.defect_rate
    defect = str(rng.choice(DEFECTS)) if spoilt else None
    return Case(hospital.name, seed, index, tuple(findings), defect)


def labels_of(hospital: Hospital, seed: int, index: int) -> list[str]:
    """The findings of the case at `index`, without their attributes: a thousand times as fast as its film."""
    labels = [
        label for label in LABELS if (_phase(hospital.name, seed, label) + index * _STEPS[label]) % 1.0
        < hospital.prevalence[label]
    ]  # fmt: skip
    return _plausible(labels, hospital)


def draw_finding(label: str, rng: np.random.Generator) -> Finding:
    """One finding of the kind `label` with attributes drawn from its kind."""
    kind = BY_NAME[label]
    side = _pick(kind.sides, rng)
    if label == "pacemaker":
        side = "left" if chance(rng, 0.8) else "right"
    return Finding(label, side, _pick(kind.zones, rng), _pick(kind.severities, rng))


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str | None:
    return options[int(rng.integers(len(options)))] if options else None


def _plausible(labels: list[str], hospital: Hospital) -> list[str]:
    """Drop the commoner of two findings that do not go together, and the commonest of too many."""
    kept = sorted(labels, key=lambda label: hospital.prevalence[label])
    for pair in EXCLUSIONS:
        if pair[0] in kept and pair[1] in kept:
            kept.remove(max(pair, key=lambda label: hospital.prevalence[label]))
    return sorted(kept[:MOST_FINDINGS], key=LABELS.index)


def _settle_sides(findings: list[Finding]) -> list[Finding]:
    """Move a lesion to the other lung where a large effusion or pneumothorax would swallow it."""
    full = {f.side for f in findings if f.name in ("pleural effusion", "pneumothorax") and f.severity == "large"}
    full |= {f.side for f in findings if f.name == "pneumothorax" and f.severity == "moderate"}
    settled = []
    for finding in findings:
        if finding.name in HIDDEN_BY_SPACE and finding.side in full:
            finding = replace(finding, side="left" if finding.side == "right" else "right")
        settled.append(finding)
    return settled
