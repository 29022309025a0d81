"""Demographic axes and projection: age, sex and view, each dealt evenly and independently of all else.

Each axis is a deck of its own, so its values' counts differ by at most one at every sample; the age itself is
drawn inside its band.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tasks.plan.deck.deck import hashes, key_of, permutations
from tasks.recipe.schema import AxesSection

Axes = Mapping[str, str]


class AxisDecks:
    """Deals `plan.axes`.

    Args:
        axes: which axes there are, with their values; None for none.
        fingerprint: the source of all randomness.
    """

    def __init__(self, axes: AxesSection | None, fingerprint: str) -> None:
        self._values = {} if axes is None else {name: values for name, values in axes if values}
        self._keys = {name: key_of(fingerprint, f"axis {name}") for name in (*self._values, "years")}

    def draw(self, indices: np.ndarray) -> list[dict[str, str] | None]:
        """The axes of samples `indices`: ``age`` (years), ``age_band``, ``sex``, ``view``, as far as asked for."""
        if not self._values:
            return [None] * len(indices)
        dealt = {name: self._deal(name, indices) for name in self._values}
        years = hashes(self._keys["years"], indices)
        return [
            _named({name: values[number] for name, values in dealt.items()}, int(year))
            for number, year in enumerate(years)
        ]

    def _deal(self, name: str, indices: np.ndarray) -> list[str]:
        values = self._values[name]
        passes, inverse = np.unique(indices // len(values), return_inverse=True)
        decks = permutations(self._keys[name], passes, len(values))
        return [values[card] for card in decks[inverse, indices % len(values)].tolist()]


def _named(values: dict[str, str], year: int) -> dict[str, str]:
    band = values.pop("age", None)
    if band is None:
        return values
    low, high = (int(end) for end in band.split("-"))
    return {"age": str(low + year % (high - low + 1)), "age_band": band, **values}


def prompt_prefix(axes: Axes | None) -> str:
    """The words before an image prompt, such as ``62 year old female, PA view. ``, as RoentGen-v2 was trained."""
    if not axes:
        return ""
    age, sex = axes.get("age"), axes.get("sex")
    who = f"{age} year old {sex or 'patient'}" if age else sex and f"{sex} patient"
    view = f"{axes['view']} view" if "view" in axes else None
    return ", ".join(part for part in (who, view) if part) + ". "
