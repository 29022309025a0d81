"""Paint devices: what doctors put into a chest, brighter than anything in it."""

from __future__ import annotations

import numpy as np

from models.phantom.body import CENTRE, Chest
from models.phantom.canvas import smooth
from models.phantom.dice import between
from models.phantom.lesions import Painted, Painter
from models.phantom.vocabulary import Finding


def pacemaker(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A generator under the clavicle, its lead along the vein into the right heart."""
    sign = -1.0 if finding.side == "right" else 1.0
    canvas = chest.canvas
    x, y = CENTRE + sign * between(rng, (30, 36)), between(rng, (30, 37))
    case = canvas.ellipse(x, y, between(rng, (6.0, 7.2)), between(rng, (5.0, 6.0)), 0.8, between(rng, (-0.5, 0.5)))
    end = (CENTRE + between(rng, (8, 16)), between(rng, (84, 92)))
    lead = smooth(
        [(x - sign * 4, y - 3), (CENTRE + sign * 18, 24), (CENTRE - 5, 32), (CENTRE - 8, 50), (CENTRE - 6, 70), end]
    )
    wire = canvas.ribbon(lead, 1.35, 0.4)
    mask = np.maximum(case, wire)
    return 1.1 * case + 0.8 * wire * (1 - case), mask


def tube(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """An endotracheal tube that ends above the carina."""
    del finding
    x = CENTRE + chest.body.lean + between(rng, (-0.8, 0.8))
    end = between(rng, (34.0, 40.0))
    line = smooth([(x + between(rng, (-1, 1)), -6), (x, 12), (x + between(rng, (-0.6, 0.6)), end)])
    outer, inner = chest.canvas.ribbon(line, 4.2, 0.35), chest.canvas.ribbon(line, 1.8, 0.3)
    return 0.80 * outer - 0.42 * inner, outer


def catheter(chest: Chest, finding: Finding, rng: np.random.Generator) -> Painted:
    """A central venous catheter from the neck or the subclavian vein to the superior vena cava."""
    sign = -1.0 if finding.side == "right" else 1.0
    start = (CENTRE + sign * between(rng, (36, 44)), between(rng, (24, 29)))
    tip = (CENTRE - between(rng, (7, 9)), between(rng, (50, 60)))
    line = smooth(
        [
            start,
            (CENTRE + sign * 27, between(rng, (18, 22))),
            (CENTRE + sign * 14, 24),
            (CENTRE + sign * 3 - 4, 33),
            (CENTRE - 8, 43),
            tip,
        ]
    )
    mask = chest.canvas.ribbon(line, 1.5, 0.4)
    return 0.75 * mask, mask


DEVICE_PAINTERS: dict[str, Painter] = {
    "pacemaker": pacemaker,
    "endotracheal tube": tube,
    "central venous catheter": catheter,
}
