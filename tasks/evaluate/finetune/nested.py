"""Which labelled films a task trains on: nested shares of the patients, the same for every model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from tasks.evaluate.resampled import unit_names


def nested_subset(
    ids: Sequence[str], patients: Sequence[str | None] | None, share: float, seed: int = 0
) -> np.ndarray:
    """The numbers of the films of the first `share` of the patients, in an order that a hash of their ids gives.

    A smaller share is part of every larger one of the same seed, and no patient is divided.

    Args:
        ids: of the films.
        patients: whose each film is; a film without one counts as a patient of its own. None: none is known.
        share: of the patients, above 0 and at most 1; at least one is taken.
        seed: gives another order.
    """
    units = unit_names(ids, patients or (None,) * len(ids))
    ordered = sorted(set(units), key=lambda unit: hashlib.sha256(f"{seed} {unit}".encode()).digest())
    taken = set(ordered[: math.ceil(share * len(ordered))])
    return np.array([at for at, unit in enumerate(units) if unit in taken], int)
