"""A patient's chest: outlines, and the film of a chest with nothing wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from models.phantom.canvas import Canvas, Pose, smooth, soft_step
from models.phantom.case import Case
from models.phantom.dice import between, chance
from models.phantom.hospital import HOSPITALS, Appearance
from models.phantom.vocabulary import Finding

CENTRE = 64.0


@dataclass(frozen=True, slots=True)
class Body:
    """Measures of one chest in body units (128 across the film); image left is the patient's right.

    `domes` are the heights of the hemidiaphragms by side, `heart` its width over the thorax's, `curve` the
    spine's sideways bend, `flat` how flattened the diaphragms are (0 to 1).
    """

    half: float
    apex: float
    domes: dict[str, float]
    heart: float
    wall: float
    curve: float
    flat: float
    widened: float
    lean: float
    portable: bool
    pose: Pose

    @property
    def top(self) -> float:
        return self.apex

    def lung_x(self, side: str, lateral: float) -> float:
        """x of a point in a lung; `lateral` from 0 (midline) to 1 (chest wall)."""
        sign = -1.0 if side == "right" else 1.0
        return CENTRE + sign * (8.0 + lateral * (self.half - 8.0))

    def zone_y(self, zone: str, side: str, share: float) -> float:
        """y inside a zone; `share` from 0 (its top) to 1 (its bottom)."""
        top, bottom = self.apex + 6.0, self.domes[side] - 2.0
        start = {"upper zone": 0.0, "mid zone": 0.36, "lower zone": 0.68}[zone]
        height = 0.34 if zone != "lower zone" else 0.30
        return top + (start + height * share) * (bottom - top)


def draw_body(case: Case) -> Body:
    """The chest of a case: normal variation from its dice, measures that findings change set accordingly."""
    look = HOSPITALS[case.hospital].appearance
    rng = case.rng("body")
    half = between(rng, look.half_width)
    breath = between(rng, (-4.0, 4.0))
    right = 97.0 + breath + between(rng, (-1.5, 1.5))
    domes = {"right": right, "left": right + between(rng, (1.0, 4.5))}
    pose = Pose(between(rng, look.tilt), between(rng, look.zoom), between(rng, (-3, 3)), between(rng, (-2.5, 2.5)))
    body = Body(
        half=half, apex=between(rng, (15.0, 20.0)), domes=domes, heart=between(rng, (0.40, 0.465)),
        wall=between(rng, look.wall), curve=between(rng, (-1.0, 1.0)), flat=between(rng, (0.0, 0.12)),
        widened=0.0, lean=between(rng, (-1.2, 1.2)), portable=chance(rng, look.portable), pose=pose,
    )  # fmt: skip
    if body.portable:
        body = replace(body, heart=body.heart + 0.02)
    for finding in case.findings:
        body = _shaped(body, finding, case.rng(f"shape {finding.name}"))
    return body


def _shaped(body: Body, finding: Finding, rng: np.random.Generator) -> Body:
    """What a finding changes about the chest itself."""
    if finding.name == "cardiomegaly":
        span = {"mild": (0.55, 0.58), "moderate": (0.60, 0.64), "severe": (0.68, 0.76)}[str(finding.severity)]
        return replace(body, heart=between(rng, span))
    if finding.name == "hemidiaphragm elevation":
        rise = between(rng, {"mild": (13.0, 17.0), "marked": (20.0, 28.0)}[str(finding.severity)])
        side = str(finding.side)
        return replace(body, domes={**body.domes, side: body.domes[side] - rise})
    if finding.name == "emphysema":
        drop = between(rng, {"mild": (6.0, 8.0), "severe": (9.0, 13.0)}[str(finding.severity)])
        domes = {side: max(y, 99.0) + drop for side, y in body.domes.items()}
        return replace(body, domes=domes, flat=0.85, heart=min(body.heart, 0.39), apex=body.apex - 2.0)
    if finding.name == "widened mediastinum":
        return replace(
            body, widened=between(rng, {"mildly": (6.0, 8.0), "markedly": (10.0, 15.0)}[str(finding.severity)])
        )
    if finding.name == "scoliosis":
        bend = between(rng, {"mild": (6.0, 8.0), "severe": (10.0, 15.0)}[str(finding.severity)])
        return replace(body, curve=bend if chance(rng, 0.5) else -bend)
    return body


@dataclass(frozen=True, slots=True)
class Chest:
    """Masks of one chest on one canvas, float32 in 0..1, (size, size); `density` is the film so far."""

    canvas: Canvas
    body: Body
    lungs: dict[str, np.ndarray]
    heart: np.ndarray
    mediastinum: np.ndarray
    inside: np.ndarray
    density: np.ndarray

    @property
    def both(self) -> np.ndarray:
        return np.maximum(self.lungs["left"], self.lungs["right"])


def spine_x(body: Body, y: np.ndarray) -> np.ndarray:
    """x of the spine's middle at height y."""
    return CENTRE + body.lean * 0.5 + body.curve * np.sin((y - 8.0) / 112.0 * np.pi * 1.15)


def build(case: Case, body: Body, size: int) -> Chest:
    """Draw a chest: body, lungs, heart, bones, vessels."""
    canvas = Canvas(size, body.pose)
    inside = _torso(canvas, body)
    lungs = {side: _lung(canvas, body, side) for side in ("right", "left")}
    heart, mediastinum = _heart(canvas, body), _mediastinum(canvas, body)
    open_lung = {side: mask * (1.0 - 0.96 * np.maximum(heart, mediastinum)) for side, mask in lungs.items()}
    rng = case.rng("tissue")
    edge = np.clip((np.abs(canvas.x - CENTRE) - body.half) / (body.wall + 6.0), 0, 1)
    density = (1.10 - 0.34 * edge) * inside + 0.07 * canvas.noise(rng, 34.0) * inside
    density += 0.16 * soft_step(canvas.y - 70.0, 90.0) * inside
    both = np.maximum(open_lung["left"], open_lung["right"])
    shade = 0.74 - 0.16 * soft_step(canvas.y - 72.0, 50.0) + 0.05 * canvas.noise(rng, 22.0)
    density -= both * (shade - 0.13 * canvas.soften(1.0 - both, 7.0))
    density += 0.16 * canvas.soften(heart, 2.2) + 0.12 * np.maximum(mediastinum - heart, 0.0)
    density = density + _bones(canvas, body, rng, both) + _vessels(canvas, body, rng, both) + _soft(canvas, body, rng)
    return Chest(canvas, body, open_lung, heart, mediastinum, inside, density.astype(np.float32))


def _sign(side: str) -> float:
    return -1.0 if side == "right" else 1.0


def _torso(canvas: Canvas, body: Body) -> np.ndarray:
    half, wall = body.half, body.wall
    right = [(CENTRE - 11, -4), (CENTRE - 12, 6), (CENTRE - 26, 11), (CENTRE - half - 6, 18), (CENTRE - half - wall - 8, 30),
             (CENTRE - half - wall - 3, 52), (CENTRE - half - wall, 80), (CENTRE - half - wall, 134)]  # fmt: skip
    left = [(2 * CENTRE - x, y) for x, y in reversed(right)]
    return canvas.fill(np.concatenate([smooth(right), smooth(left)]), 1.2)


def _lung(canvas: Canvas, body: Body, side: str) -> np.ndarray:
    sign, half, top, dome = _sign(side), body.half, body.apex, body.domes[side]
    flat = body.flat
    angle = dome + 14.0 - 9.0 * flat
    points = [(10, top + 12), (13, top + 3), (19, top), (26, top + 2), (half - 12, top + 12), (half - 5, top + 27), (half - 1, 60),
              (half, 80), (half - 0.5, angle - 4), (half - 3, angle), (half * 0.78, dome + 3.5 - 2.5 * flat), (half * 0.55, dome),
              (half * 0.36, dome + 1.5), (9, dome + 5.5 - 2 * flat), (7, dome - 12), (7, 60), (8, 40)]  # fmt: skip
    outline = smooth([(CENTRE + sign * x, y) for x, y in points], closed=True)
    return canvas.fill(outline, 0.7)


def _heart(canvas: Canvas, body: Body) -> np.ndarray:
    width = body.heart * 2.0 * body.half
    right, left = width * 0.32, width * 0.68
    base = max(body.domes.values()) + 6.0
    top = 52.0
    grow = max(0.0, body.heart - 0.5) * 22.0
    points = [(-7, top), (-right * 0.72, top + 10 - grow * 0.2), (-right, top + 24), (-right * 0.9, top + 38), (-right * 0.4, base + 3),
              (left * 0.55, base + 4), (left * 0.93, base - 3), (left, base - 13), (left * 0.86, top + 24 - grow * 0.4),
              (left * 0.55, top + 10 - grow * 0.2), (9, top)]  # fmt: skip
    return canvas.fill(smooth([(CENTRE + body.lean + x, y) for x, y in points], closed=True), 0.9)


def _mediastinum(canvas: Canvas, body: Body) -> np.ndarray:
    wide = body.widened
    mid = CENTRE + body.lean
    points = [(-7 - wide * 0.5, -6), (-7.5 - wide * 0.9, 22), (-8.5 - wide, 36), (-9 - wide * 0.5, 56), (-8, 120), (8, 120), (9.5 + wide * 0.4, 56),
              (10.5 + wide * 0.8, 47), (13 + wide, 40), (12 + wide, 33), (8 + wide * 0.9, 27), (7 + wide * 0.5, -6)]  # fmt: skip
    return canvas.fill(smooth([(mid + x, y) for x, y in points], closed=True), 0.8)


@lru_cache(maxsize=1)
def _rib_steps() -> np.ndarray:
    return np.linspace(0.0, 1.0, 14)


def _bones(canvas: Canvas, body: Body, rng: np.random.Generator, lungs: np.ndarray) -> np.ndarray:
    out = np.zeros_like(lungs)
    t = _rib_steps()
    outlines, tones = [], []
    for number in range(10):
        y = body.apex + 1.0 + number * 8.6 + float(rng.normal(0, 0.4))
        reach = body.half * min(1.0, 0.60 + 0.11 * number) - 0.5
        for sign in (-1.0, 1.0):
            x = 5.0 + (reach - 5.0) * np.sin(t * np.pi * 0.5) ** 0.9
            drop = 2.0 - 4.5 * np.sin(t * np.pi * 0.75) + (9.0 + number * 0.9) * t**2.2
            line = np.stack([CENTRE + spine_offset(body, y) + sign * x, y + drop], axis=1)
            outlines.append(_band(line, 3.6))
            tones.append(int(105 + 45 * rng.random()))
    for number in range(2, 7):
        y = body.apex + 22.0 + number * 9.5
        for sign in (-1.0, 1.0):
            x = body.half - 1.0 - (body.half * 0.62) * t
            line = np.stack([CENTRE + sign * x, y - 12.0 + 14.0 * t**0.8], axis=1)
            outlines.append(_band(line, 3.8))
            tones.append(58)
    out += 0.34 * canvas.fill_all(outlines, 0.65, tones) * np.clip(lungs + 0.30, 0, 1)
    clavicles = []
    lift = float(rng.normal(0, 1.2))
    for sign in (-1.0, 1.0):
        points = [(4, 27 + lift), (14, 23.5 + lift), (26, 20 + lift), (40, 17 + lift), (51, 15.5 + lift)]
        clavicles.append(
            _band(smooth([(CENTRE + sign * x, y) for x, y in points]), np.linspace(4.4, 3.4, 25)[: 6 * 4 + 1])
        )
    out += 0.24 * canvas.fill_all(clavicles, 0.5)
    blades = [
        smooth(
            [
                (CENTRE + s * x, y)
                for x, y in [
                    (body.half - 4, 26),
                    (body.half + 5, 23),
                    (body.half + 4, 40),
                    (body.half - 3, 62),
                    (body.half - 7, 44),
                ]
            ],
            closed=True,
        )
        for s in (-1.0, 1.0)
    ]
    out += 0.09 * canvas.fill_all(blades, 1.2)
    offset = np.abs(canvas.x - spine_x(body, canvas.y))
    column = soft_step(6.2 - offset, 2.0) + 0.5 * soft_step(9.0 - offset, 2.5)
    discs = 0.75 + 0.25 * np.sin(canvas.y * (2 * np.pi / 8.2) + float(rng.random() * 6))
    strength = 0.16 + 0.02 * abs(body.curve)
    return out + min(strength, 0.34) * column * discs


def spine_offset(body: Body, y: float) -> float:
    """How far the spine stands from the midline at height y."""
    return float(spine_x(body, np.array(y)) - CENTRE)


def _band(line: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    from models.phantom.canvas import ribbon_outline

    return ribbon_outline(line, width)


def _vessels(canvas: Canvas, body: Body, rng: np.random.Generator, lungs: np.ndarray) -> np.ndarray:
    plate = np.zeros((canvas.size, canvas.size), np.uint8)
    for sign in (-1.0, 1.0):
        root = np.array([CENTRE + sign * 12.5, 55.0 if sign < 0 else 52.5])
        angles = rng.uniform(-1.35, 1.45, 11)
        thick, thin = [], []
        for angle in angles:
            length = rng.uniform(14, 30)
            bend = rng.uniform(-0.5, 0.5)
            t = np.linspace(0, 1, 7)[:, None]
            heading = np.stack([sign * np.cos(angle + bend * t[:, 0]), np.sin(angle + bend * t[:, 0]) * 1.25], axis=1)
            line = root + t * length * heading
            thick.append(line[:4])
            thin.append(line[3:])
            fork = angle + rng.uniform(0.35, 0.7) * rng.choice([-1, 1])
            branch = line[3] + t * length * 0.55 * np.array([[sign * np.cos(fork), np.sin(fork) * 1.25]])
            thin.append(branch[:4])
        canvas.strokes(np.array(thick), 150, 1.8, plate)
        canvas.strokes(np.array(thin), 85, 1.0, plate)
    vessels = canvas.soften(plate.astype(np.float32) * np.float32(1 / 255), 0.75)
    hila = canvas.blob(CENTRE - 12.5, 55, 3.4, 6.5) + canvas.blob(CENTRE + 12.5, 52, 3.4, 6.0)
    return (0.60 * vessels + 0.26 * hila) * np.clip(lungs * 1.2, 0, 1)


def _soft(canvas: Canvas, body: Body, rng: np.random.Generator) -> np.ndarray:
    mid = CENTRE + body.lean
    tube = np.array([(mid + 0.3, -4), (mid, 12), (mid + 0.2, 30), (mid + 0.6, 46)], dtype=float)
    air = canvas.ribbon(smooth(tube), 5.2, 0.8)
    bronchi = canvas.ribbon(smooth([(mid, 45), (mid - 6, 51), (mid - 11, 57)]), 3.6, 0.8) + canvas.ribbon(
        smooth([(mid, 45), (mid + 8, 52), (mid + 13, 56)]), 3.4, 0.8
    )
    out = -0.26 * air - 0.12 * bronchi
    bubble = canvas.ellipse(
        CENTRE + 22 + rng.uniform(-3, 3),
        body.domes["left"] + 9 + rng.uniform(0, 3),
        rng.uniform(4, 9),
        rng.uniform(3, 5.5),
        1.5,
    )
    out -= rng.uniform(0.1, 0.42) * bubble
    below = soft_step(canvas.y - (max(body.domes.values()) + 8), 16.0)
    out += 0.12 * below
    if chance(rng, 0.35):
        lift = rng.uniform(-4, 6)
        for sign in (-1.0, 1.0):
            out += 0.10 * canvas.ellipse(CENTRE + sign * 26, 88 + lift, 18, 17, 3.0) * soft_step(canvas.y - 80, 14)
    return out
