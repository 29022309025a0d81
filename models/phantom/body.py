"""Shape one patient: the numbers of a chest, and how findings bend them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.phantom.canvas import Pose, smooth
from models.phantom.hospital import Appearance
from models.phantom.rng import between, chance
from models.phantom.vocabulary import Finding

SIGN = {"right": -1.0, "left": 1.0}  # the patient's right lung is on the left of the film
MIDDLE = 64.0


@dataclass(slots=True)
class Body:
    """A chest in body units: x to the right of the film, y down, 128 across."""

    pose: Pose
    half_width: float
    wall: float
    apex: float
    dome: dict[str, float]
    flatness: float  # 1 for a normal dome, towards 0 for a flat diaphragm
    heart_ratio: float  # cardiothoracic ratio
    heart_turn: float
    mediastinum: float  # half width at the level of the arch
    knob: float
    carina: float
    breast: float
    arms: float
    bubble: bool
    vessel_gain: float = 1.0
    air_gain: float = 1.0
    curve: float = 0.0  # sideways bend of the spine
    bend_level: float = 62.0
    normal_dome: dict[str, float] = field(default_factory=dict)

    def spine_x(self, y: np.ndarray | float) -> np.ndarray:
        """Where the spine is at height y; an S when it is bent."""
        t = (np.asarray(y, dtype=np.float64) - self.bend_level) / 62.0
        return MIDDLE + self.curve * (1.6 * np.exp(-((t / 0.42) ** 2)) - 0.6)

    def hilum(self, side: str) -> tuple[float, float]:
        """Where the vessels enter a lung; the left one is a little higher."""
        return MIDDLE + SIGN[side] * 13.5, self.carina + (7.0 if side == "left" else 9.5)

    def zone(self, side: str, zone: str, rng: np.random.Generator) -> tuple[float, float]:
        """A point within a zone of a lung."""
        top, bottom = self.apex, self.dome[side]
        low, high = {"upper zone": (0.14, 0.30), "mid zone": (0.42, 0.58), "lower zone": (0.72, 0.86)}[zone]
        y = top + (bottom - top) * between(rng, (low, high))
        span = (0.42, 0.66) if zone == "upper zone" else (0.5, 0.76)
        if zone == "lower zone" and side == "left":
            span = (0.66, 0.82)
        return MIDDLE + SIGN[side] * self.half_width * between(rng, span), y

    def lung(self, side: str, dome: float | None = None) -> np.ndarray:
        """The outline of one lung, without what the heart and mediastinum cover."""
        w, a = self.half_width, self.apex
        d = self.dome[side] if dome is None else dome
        corner = max(d, 0.55 * d + 0.45 * self.normal_dome[side]) + 4.0 + 8.0 * self.flatness
        outer = smooth(
            [(4, a + 9), (8, a + 3), (15, a), (0.52 * w, a + 3), (0.72 * w, a + 11), (0.86 * w, a + 24),
             (0.95 * w, a + 40), (w, a + 56), (1.01 * w, corner - 10), (0.985 * w, corner)]
        )  # fmt: skip
        rise = self.flatness
        base = smooth(
            [(0.97 * w, corner), (0.86 * w, d + 6.0 * rise), (0.68 * w, d + 1.4 * rise), (0.48 * w, d),
             (0.28 * w, d + 1.6 * rise), (9, d + 5 * rise), (3, d + 7 * rise)]
        )  # fmt: skip
        outline = np.concatenate([outer, base])
        outline[:, 0] = MIDDLE + SIGN[side] * outline[:, 0]
        return outline


def shape_body(rng: np.random.Generator, look: Appearance, findings: Sequence[Finding]) -> Body:
    """Draw a normal patient, then bend the chest as the findings demand."""
    apex = between(rng, (15.0, 21.0))
    right = between(rng, (87.0, 96.0))
    body = Body(
        pose=Pose(between(rng, look.tilt), between(rng, look.zoom), between(rng, (-3, 3)), between(rng, (-3, 3))),
        half_width=between(rng, look.half_width),
        wall=between(rng, look.wall),
        apex=apex,
        dome={"right": right, "left": right + between(rng, (1.5, 5.0))},
        flatness=between(rng, (0.9, 1.1)),
        heart_ratio=between(rng, (0.40, 0.47)),
        heart_turn=between(rng, (0.5, 0.75)),
        mediastinum=between(rng, (8.5, 10.5)),
        knob=between(rng, (4.8, 6.8)),
        carina=apex + between(rng, (24.0, 28.0)),
        breast=between(rng, (0.1, 0.3)) if chance(rng, 0.4) else 0.0,
        arms=between(rng, (-4.0, 12.0)),
        bubble=chance(rng, 0.75),
    )
    body.normal_dome = dict(body.dome)
    for finding in findings:
        _bend(body, finding, rng)
    return body


def _bend(body: Body, finding: Finding, rng: np.random.Generator) -> None:
    grade, side = finding.severity, finding.side
    match finding.name:
        case "cardiomegaly":
            spans = {"mild": (0.55, 0.58), "moderate": (0.61, 0.65), "severe": (0.69, 0.74)}
            body.heart_ratio = between(rng, spans[grade or "moderate"])
        case "widened mediastinum":
            body.mediastinum = between(rng, (16.0, 18.0) if grade == "mild" else (21.0, 24.0))
        case "hemidiaphragm elevation":
            rise = between(rng, (11.0, 14.0) if grade == "mild" else (19.0, 24.0))
            body.dome[side or "right"] -= rise + (3.0 if side == "left" else 0.0)
        case "emphysema":
            drop, flat, ratio = (6.0, 0.35, 0.36) if grade == "mild" else (10.0, 0.08, 0.31)
            body.dome = {each: dome + drop for each, dome in body.dome.items()}
            body.flatness, body.heart_ratio = flat, min(body.heart_ratio, ratio)
            body.air_gain, body.vessel_gain = (1.17, 0.6) if grade == "mild" else (1.28, 0.35)
            body.half_width = min(body.half_width + 2.0, 48.0)
        case "pulmonary fibrosis":
            body.dome = {each: dome - (2.0 if grade == "mild" else 5.0) for each, dome in body.dome.items()}
        case "atelectasis":
            body.dome[side or "left"] -= 2.0 if grade == "mild" else 5.0
        case "scoliosis":
            body.curve = between(rng, (9.0, 11.5) if grade == "mild" else (15.0, 19.0)) * (
                1 if chance(rng, 0.35) else -1
            )
            body.bend_level = between(rng, (54.0, 70.0))
        case _:
            pass
