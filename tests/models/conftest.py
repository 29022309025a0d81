"""Good films of hospital A from a seed that nothing was trained on."""

from __future__ import annotations

import numpy as np
import pytest

from models.phantom.case import Case
from models.phantom.film import draw_film


@pytest.fixture(scope="session")
def sound_films() -> list[np.ndarray]:
    """Two dozen sound films without findings, (128, 128) uint8."""
    return [draw_film(Case("a", 5150, index, ()), 128)[0] for index in range(24)]
