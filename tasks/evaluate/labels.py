"""Labels as metrics take them: 1, 0 or left out. Others are refused, or mapped by ``evaluate.uncertain``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from storage.errors import StoreError

Uncertain = Literal["refuse", "ignore", "positive", "negative"]
"""What becomes of a label that is -1, NaN or null: an error, no film of that finding's, 1, or 0."""


class CannotScore(StoreError, ValueError):
    """Labels or scores that no metric can take; the message names the finding, how many, and the first film."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of some films.

    Args:
        names: of the findings.
        values: (films, findings) of 0 and 1.
        known: (films, findings) of bool; where it is False, the value means nothing and the film does not count.
        uncertain: findings with uncertain labels, and how many.
    """

    names: tuple[str, ...]
    values: np.ndarray
    known: np.ndarray
    uncertain: Mapping[str, int]


def settle(labels: Any, names: Sequence[str], uncertain: Uncertain = "refuse", films: Sequence[str] = ()) -> Labels:
    """Make labels certain.

    Args:
        labels: (films, findings) of 1, 0, and -1, NaN or None for uncertain.
        names: of the findings.
        uncertain: what becomes of the uncertain ones.
        films: their ids, for messages; without them films are numbered from 0.

    Raises:
        CannotScore: a label is of none of these values, or uncertain ones are refused.
    """
    table = np.asarray([[_number(value) for value in row] for row in labels], float).reshape(len(labels), len(names))
    doubt = np.isnan(table) | (table == -1)
    wrong = ~doubt & (table != 0) & (table != 1)
    if wrong.any():
        raise CannotScore(_message(labels, wrong, names, films) + ": a label is 1, 0, or -1 for uncertain")
    if doubt.any() and uncertain == "refuse":
        raise CannotScore(
            _message(labels, doubt, names, films)
            + " are uncertain: set evaluate.uncertain to ignore, positive or negative"
        )
    counts = {name: int(count) for name, count in zip(names, doubt.sum(axis=0), strict=True) if count}
    values = np.where(doubt, uncertain == "positive", table).astype(np.int8)
    known = ~doubt if uncertain == "ignore" else np.ones_like(doubt)
    return Labels(tuple(names), values, known, counts)


def _number(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, Real | np.bool_):
        return float(value)  # pyright: ignore[reportUnknownArgumentType]
    return float("inf")


def _message(labels: Any, at: np.ndarray, names: Sequence[str], films: Sequence[str]) -> str:
    """``3 of 40 labels of 'edema' (film s-1: -1)`` for the first finding with one."""
    column = int(np.flatnonzero(at.any(axis=0))[0])
    row = int(np.flatnonzero(at[:, column])[0])
    film = films[row] if films else f"number {row}"
    others = int(at.any(axis=0).sum()) - 1
    more = f", and of {others} more findings," if others else ""
    example = f"the first of film {film}: {labels[row][column]!s}"
    return f"{int(at[:, column].sum())} of {len(at)} labels of {names[column]!r} ({example}){more}"
