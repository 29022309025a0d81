"""Describe the two hospitals: who comes in, and what their machine makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Span = tuple[float, float]

COMMON_TO_RARE: tuple[str, ...] = (
    "pleural effusion", "atelectasis", "cardiomegaly", "consolidation", "central venous catheter",
    "pulmonary edema", "lung nodule", "pacemaker", "endotracheal tube", "pneumothorax", "emphysema",
    "hilar enlargement", "lung mass", "hemidiaphragm elevation", "pulmonary fibrosis", "scoliosis",
    "widened mediastinum", "hiatal hernia",
)  # fmt: skip
HEAD, TAIL = 0.26, 0.00225
ARCHIVE_SIZE = 20_000
"""Films in the archive of each hospital."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a hospital's machine and patients do to a film; (low, high) spans, drawn once a film."""

    centre: Span = (1.26, 1.46)  # tissue thickness shown as mid grey
    contrast: Span = (1.75, 2.2)  # slope of the exposure curve
    gamma: Span = (0.95, 1.1)
    noise: Span = (0.006, 0.014)  # fine grain, share of the grey range
    mottle: Span = (0.0, 0.006)  # coarse grain
    blur: Span = (0.0, 0.25)  # focal spot, in 1/128 of the film
    edge: Span = (0.25, 0.6)  # unsharp masking by the machine
    vignette: Span = (0.0, 0.06)
    collimated: float = 0.12  # share of films with a black rim
    rim: Span = (1.0, 4.0)
    fog: Span = (0.0, 0.02)  # floor of the grey range
    ceiling: Span = (0.96, 1.0)
    marker: str = "L"
    marker_rate: float = 0.8
    marker_boxed: bool = False
    half_width: Span = (40.5, 46.5)  # of the thoracic cavity
    wall: Span = (5.0, 11.0)  # soft tissue around it
    zoom: Span = (0.96, 1.06)
    tilt: Span = (-3.0, 3.0)  # degrees
    portable: float = 0.15  # share of AP films


@dataclass(frozen=True, slots=True)
class Hospital:
    """One hospital. `prevalence` maps every label to the share of films that show it."""

    name: str
    appearance: Appearance
    prevalence: Mapping[str, float] = field(hash=False)
    defect_rate: float


def long_tail(head: float = HEAD, tail: float = TAIL) -> dict[str, float]:
    """Prevalence that falls geometrically along `COMMON_TO_RARE`."""
    ratio = (tail / head) ** (1 / (len(COMMON_TO_RARE) - 1))
    return {label: head * ratio**rank for rank, label in enumerate(COMMON_TO_RARE)}


def nearly_flat(head: float = 0.108, tail: float = 0.078) -> dict[str, float]:
    """Prevalence that falls linearly, so that an evaluation sees enough of every label."""
    step = (head - tail) / (len(COMMON_TO_RARE) - 1)
    return {label: head - step * rank for rank, label in enumerate(COMMON_TO_RARE)}


HOSPITAL_A = Hospital("a", Appearance(), long_tail(), defect_rate=0.05)
HOSPITAL_B = Hospital(
    "b",
    Appearance(
        centre=(1.08, 1.3), contrast=(1.45, 1.8), gamma=(0.85, 1.0), noise=(0.014, 0.026), mottle=(0.006, 0.014),
        blur=(0.3, 0.5), edge=(0.0, 0.15), vignette=(0.08, 0.2), collimated=0.55, rim=(1.5, 6.0), fog=(0.02, 0.06),
        ceiling=(0.88, 0.95), marker="R", marker_rate=0.9, marker_boxed=True, half_width=(38.5, 44.5),
        wall=(7.0, 15.0), zoom=(0.93, 1.05), tilt=(-4.5, 4.5), portable=0.6,
    ),
    nearly_flat(),
    defect_rate=0.0,
)  # fmt: skip
HOSPITALS: dict[str, Hospital] = {"a": HOSPITAL_A, "b": HOSPITAL_B}
