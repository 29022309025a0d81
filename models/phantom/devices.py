"""Draw devices: metal and plastic in the body."""

from __future__ import annotations

import numpy as np

from models.phantom.anatomy import Scene
from models.phantom.body import MIDDLE, SIGN
from models.phantom.canvas import smooth
from models.phantom.lesions import Masks
from models.phantom.rng import between, chance
from models.phantom.vocabulary import Finding


def paint_pacemaker(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """A can below the clavicle and a lead down to the right ventricle."""
    canvas, body, sign = scene.canvas, scene.body, SIGN[finding.side or "left"]
    x = MIDDLE + sign * body.half_width * between(rng, (0.66, 0.82))
    y, turn = body.apex + between(rng, (15, 21)), sign * between(rng, (0.1, 0.6))
    can = canvas.ellipse(x, y, 6.4, 5.0, 0.8, turn)
    header = canvas.ellipse(x - sign * 1.5, y - 4.4, 4.0, 2.2, 0.8, turn)
    tip = (MIDDLE + between(rng, (9, 14)), body.normal_dome["left"] - between(rng, (6, 10)))
    lead = smooth(
        [(x - sign * 2.5, y - 5), (MIDDLE + sign * 0.42 * body.half_width, body.apex + 9),
        (MIDDLE + sign * 8, body.apex + 13),
         (MIDDLE - 7, body.apex + 20), (MIDDLE - 8.5, body.carina + 10), (MIDDLE - 7, body.carina + 25), tip], 8
    )  # fmt: skip
    wire = canvas.ribbon(lead, 1.3, 0.25)
    shape = np.maximum(np.maximum(can, 0.7 * header), 0.0)
    scene.metal = np.maximum(scene.metal, np.maximum(2.2 * shape, 0.95 * wire))
    scene.metal = np.maximum(scene.metal, 1.3 * canvas.ellipse(*tip, 1.3, 1.3, 0.6))
    return [np.maximum(shape, wire)]


def paint_tube(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """An endotracheal tube: a bright stripe in the trachea that ends above the carina."""
    del finding
    canvas, body = scene.canvas, scene.body
    end = body.carina - between(rng, (4.5, 9.0))
    y = np.linspace(-8, end, 14)
    lean = between(rng, (-0.6, 0.6))
    x = MIDDLE + 0.35 * (body.spine_x(y) - MIDDLE) - 0.8
    walls = [
        canvas.ribbon(np.stack([x + lean + dx, y], axis=1), width, 0.25) for dx, width in ((-1.6, 1.0), (1.5, 1.7))
    ]
    inside = canvas.ribbon(np.stack([x + lean, y], axis=1), 3.0, 0.3)
    shape = np.maximum(0.7 * walls[0], walls[1])
    scene.metal = np.maximum(scene.metal, 1.25 * shape + 0.12 * inside)
    return [np.maximum(shape, 0.6 * inside)]


def paint_catheter(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """A central line, jugular or subclavian, that ends in the superior vena cava."""
    canvas, body, sign = scene.canvas, scene.body, SIGN[finding.side or "right"]
    tip = (MIDDLE - between(rng, (8, 10)), body.carina + between(rng, (3, 15)))
    vein = (MIDDLE - 9, body.carina - 8)
    cross = [(MIDDLE + 7, body.apex + 14)] if sign > 0 else []
    if chance(rng, 0.6):
        start = [(MIDDLE + sign * 19, -6), (MIDDLE + sign * 16.5, body.apex - 8), (MIDDLE + sign * 13, body.apex + 5)]
    else:
        start = [(MIDDLE + sign * 0.98 * body.half_width, body.apex + 17),
        (MIDDLE + sign * 0.72 * body.half_width, body.apex + 8),
                 (MIDDLE + sign * 0.42 * body.half_width, body.apex + 8.5)]  # fmt: skip
    wire = canvas.ribbon(smooth([*start, *cross, vein, tip], 8), 1.45, 0.25)
    scene.metal = np.maximum(scene.metal, 0.9 * wire)
    return [wire]
