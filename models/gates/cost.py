"""The cost of a gate: wall seconds per film, written beside each score."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

from models.contracts import Candidate, GateScore

Score = TypeVar("Score", bound=Callable[..., list[GateScore]])


def priced(score: Score) -> Score:
    """A gate's `score` that also fills `seconds`: the call's wall time in equal parts."""

    @wraps(score)
    def timed(self: Any, batch: Sequence[Candidate]) -> list[GateScore]:
        started = time.perf_counter()
        scores = score(self, batch)
        seconds = (time.perf_counter() - started) / max(1, len(scores))
        return [replace(each, seconds=seconds) for each in scores]

    return cast(Score, timed)
