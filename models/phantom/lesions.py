"""Paint findings: each returns what it adds to the density and the mask of where it lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.phantom.body import CENTRE, Chest
from models.phantom.canvas import smooth, soft_step
from models.phantom.dice import between
from models.phantom.vocabulary import Finding

Painted = tuple[np.ndarray, np.ndarray]
Painter = Callable[[Chest, Finding, np.random.Generator], Painted]


def _sign(finding: Finding) -> float:
    return -1.0 if finding.side == "right" else 1.0


def _spot(chest: Chest, finding: Finding, rng: np.random.Generator) -> tuple[float, float]:
    side, zone = str(finding.side), str(finding.zone)
    lateral = between(rng, (0.42, 0.72) if side == "right" or zone != "lower zone" else (0.62, 0.82))
    if zone == "upper zone":
        lateral = between(rng, (0.34, 0.58))
    return chest.body.lung_x(side, lateral), chest.body.zone_y(zone, side, between(rng, (0.35, 0.7)))


def effusion(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """Fluid in the costophrenic angle with a meniscus that climbs the chest wall."""
    body, side = chest.body, str(finding.side)
    rise = between(rng, {"small": (9.0, 13.0), "moderate": (20.0, 28.0), "large": (38.0, 52.0)}[str(finding.severity)])
    canvas = chest.canvas
    wall = np.clip((canvas.x - CENTRE) * _sign(finding) / body.half, 0.0, 1.0)
    level = body.domes[side] + 11.0 - rise - 13.0 * wall**4 + 5.0 * (1.0 - wall)
    zone = np.where((canvas.x - CENTRE) * _sign(finding) > 0, 1.0, 0.0)
    mask = soft_step(canvas.y - level, 4.5) * chest.lungs[side] * zone
    return mask * 0.62, mask


def pneumothorax(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """Air without vessels along the wall, inside a fine pleural line."""
    body, side, canvas = chest.body, str(finding.side), chest.canvas
    gap = between(rng, {"small": (0.20, 0.25), "moderate": (0.32, 0.40), "large": (0.52, 0.64)}[str(finding.severity)])
    dx = (canvas.x - CENTRE) * _sign(finding) / body.half
    dy = (canvas.y - body.apex) / (body.domes[side] - body.apex)
    inner = 1.0 - gap - 0.25 * np.clip(0.35 - dy, 0, 1) + 0.45 * np.clip(dy - 0.8, 0, 1)
    curve = np.sqrt(np.clip(dx, 0, None) ** 2 + (np.clip(0.45 + gap * 0.4 - dy, 0, None) * 1.05) ** 2)
    air = soft_step(curve - inner, 0.03) * chest.lungs[side] * (dx > 0)
    line = np.exp(-0.5 * ((curve - inner) / 0.016) ** 2) * chest.lungs[side] * (dx > 0)
    smoothed = canvas.soften(chest.density, 3.0)
    flat = (smoothed - chest.density) * air * 0.7
    collapse = 0.14 * gap * (1 - air) * chest.lungs[side] * (dx > 0)
    return flat - 0.26 * air + 0.34 * line + collapse, air


def consolidation(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A fluffy opacity with air bronchograms."""
    x, y = _spot(chest, finding, rng)
    canvas = chest.canvas
    strong = {"patchy": (0.30, 0.38), "dense": (0.50, 0.62)}[str(finding.severity)]
    hill = canvas.blob(x, y, between(rng, (8.5, 11.5)), between(rng, (7.5, 10.0)), between(rng, (-0.6, 0.6)))
    texture = 0.9 + 0.32 * canvas.noise(rng, 5.0 if finding.severity == "patchy" else 9.0)
    mask = soft_step(hill * texture - 0.33, 0.35) * chest.lungs[str(finding.side)]
    return mask * between(rng, strong), mask


def atelectasis(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """Plate-like bands, nearly level."""
    x, y = _spot(chest, finding, rng)
    canvas = chest.canvas
    marked = finding.severity == "marked"
    total = np.zeros((canvas.size, canvas.size), np.float32)
    for number in range(3 if marked else 2):
        length = between(rng, (13.0, 17.0) if marked else (10.0, 14.0))
        slope = between(rng, (-0.25, 0.25)) + 0.18 * _sign(finding)
        at = y + (number - 0.5) * 5.2
        line = smooth(
            [(x - length, at - slope * length), (x, at + between(rng, (-1, 1))), (x + length, at + slope * length)]
        )
        taper = np.interp(np.linspace(0, 1, len(line)), [0, 0.3, 0.7, 1], [0.5, 1, 1, 0.3])
        total = np.maximum(total, canvas.ribbon(line, (3.2 if marked else 2.4) * taper, 0.65))
    mask = total * chest.lungs[str(finding.side)]
    return mask * (0.46 if marked else 0.38), mask


def nodule(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A round, sharp shadow."""
    x, y = _spot(chest, finding, rng)
    radius = between(rng, {"small": (3.2, 3.8), "large": (4.6, 5.6)}[str(finding.severity)])
    mask = chest.canvas.ellipse(x, y, radius, radius * between(rng, (0.9, 1.1)), 1.1) * chest.lungs[str(finding.side)]
    return mask * between(rng, (0.38, 0.48)), mask


def mass(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A large lobulated shadow."""
    x, y = _spot(chest, finding, rng)
    radius = between(rng, (9.0, 12.0))
    mask = np.zeros((chest.canvas.size, chest.canvas.size), np.float32)
    for _ in range(4):
        dx, dy = rng.normal(0, radius * 0.22, 2)
        mask = np.maximum(mask, chest.canvas.ellipse(x + dx, y + dy, radius * 0.8, radius * 0.74, 1.6))
    mask = mask * chest.lungs[str(finding.side)]
    return mask * between(rng, (0.46, 0.58)), mask


def hilum(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A bulky, lobulated hilum."""
    x, y = CENTRE + _sign(finding) * 17.0, 55.0 if finding.side == "right" else 52.5
    canvas = chest.canvas
    mask = canvas.ellipse(x, y, between(rng, (7.0, 9.0)), between(rng, (9.0, 11.0)), 2.2)
    mask = np.maximum(mask, canvas.ellipse(x + _sign(finding) * 4, y + between(rng, (-6, 6)), 5.5, 5.0, 1.8))
    mask = mask * np.clip(chest.lungs[str(finding.side)] * 1.5, 0, 1)
    return mask * between(rng, (0.46, 0.56)), mask


def edema(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """Bilateral perihilar haze that veils the vessels, with septal lines at the bases."""
    canvas = chest.canvas
    strong = between(
        rng, {"mild": (0.20, 0.25), "moderate": (0.31, 0.37), "severe": (0.45, 0.54)}[str(finding.severity)]
    )
    wings = np.zeros((canvas.size, canvas.size), np.float32)
    for sign in (-1.0, 1.0):
        wings = np.maximum(wings, canvas.blob(CENTRE + sign * 20, 60 + between(rng, (-2, 4)), 13, 19))
    cloud = np.clip(wings * (1.0 + 0.28 * canvas.noise(rng, 6.0)), 0, 1.3)
    lines = np.clip(np.sin(canvas.y * 1.9) - 0.55, 0, 1) * soft_step(
        np.abs(canvas.x - CENTRE) - chest.body.half + 11, 4.0
    )
    kerley = lines * soft_step(canvas.y - 74, 8.0)
    mask = cloud * chest.both
    veil = 0.5 * (canvas.soften(chest.density, 2.5) - chest.density) * mask
    return strong * mask + 0.15 * kerley * chest.both + veil, soft_step(mask - 0.3, 0.2)


def emphysema(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """Dark lungs with sparse vessels and bullae; the flat diaphragms are in the body."""
    canvas = chest.canvas
    deep = between(rng, {"mild": (0.14, 0.18), "severe": (0.22, 0.28)}[str(finding.severity)])
    plain = 0.55 * (canvas.soften(chest.density, 3.0) - chest.density) * chest.both
    return plain - deep * chest.both, chest.both


def fibrosis(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A coarse net at both bases and along the wall."""
    canvas = chest.canvas
    strong = between(rng, {"mild": (0.22, 0.27), "severe": (0.36, 0.44)}[str(finding.severity)])
    net = 1.0 - np.clip(np.abs(canvas.noise(rng, 4.0)) * 1.7, 0, 1)
    base = soft_step(canvas.y - (74 if finding.severity == "mild" else 62), 26.0)
    edge = soft_step(np.abs(canvas.x - CENTRE) - chest.body.half * 0.62, 16.0)
    where = np.clip(base + 0.55 * edge * soft_step(canvas.y - 48, 20), 0, 1) * chest.both
    return strong * net * where + 0.10 * where, soft_step(where - 0.3, 0.3)


def hernia(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A round shadow behind the heart with an air-fluid level."""
    canvas = chest.canvas
    radius = between(rng, {"small": (8.0, 9.5), "large": (12.0, 15.0)}[str(finding.severity)])
    x, y = CENTRE + 5.0 + between(rng, (-2, 3)), chest.body.domes["left"] - radius * 0.55
    ball = canvas.ellipse(x, y, radius, radius * 0.92, 1.4)
    ring = np.clip(ball - canvas.ellipse(x, y, radius - 2.0, radius * 0.92 - 2.0, 1.2), 0, 1)
    air = canvas.ellipse(x, y, radius - 1.8, radius * 0.92 - 1.8, 1.0) * soft_step((y - 0.5) - canvas.y, 1.2)
    return 0.26 * ring + 0.14 * ball - 0.62 * air, ball


def heart(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    del finding, rng
    return np.zeros_like(chest.density), chest.heart


def mediastinum(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    del finding, rng
    return 0.06 * chest.mediastinum, chest.mediastinum * (chest.canvas.y < 60)


def dome(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    del rng
    body, side, canvas = chest.body, str(finding.side), chest.canvas
    high, other = body.domes[side], body.domes["left" if side == "right" else "right"]
    dx = (canvas.x - CENTRE) * _sign(finding)
    mask = ((dx > 6) & (dx < body.half) & (canvas.y > high) & (canvas.y < other)).astype(np.float32)
    return np.zeros_like(chest.density), mask


def spine(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    from models.phantom.body import spine_x

    del finding, rng
    mask = (np.abs(chest.canvas.x - spine_x(chest.body, chest.canvas.y)) < 7).astype(np.float32)
    return 0.10 * chest.canvas.soften(mask, 0.8), mask


PAINTERS: dict[str, Painter] = {
    "cardiomegaly": heart,
    "widened mediastinum": mediastinum,
    "hemidiaphragm elevation": dome,
    "scoliosis": spine,
    "emphysema": emphysema,
    "pulmonary fibrosis": fibrosis,
    "pulmonary edema": edema,
    "consolidation": consolidation,
    "atelectasis": atelectasis,
    "lung nodule": nodule,
    "lung mass": mass,
    "hilar enlargement": hilum,
    "hiatal hernia": hernia,
    "pneumothorax": pneumothorax,
    "pleural effusion": effusion,
}
