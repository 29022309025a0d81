"""Open gates and turn their scores into decisions.

Gates only score, so a new threshold re-decides and regenerates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models import registry
from models.contracts import Gate, GateScore
from storage.records import GateRow
from tasks.recipe.schema import GateSpec


def open_gates(specs: Sequence[GateSpec]) -> list[tuple[Gate, float]]:
    """The gates that a recipe names, each with its threshold."""
    return [(registry.build(registry.GATES, spec.kind, spec.options), spec.threshold) for spec in specs]


def decide(scores: Sequence[GateScore], thresholds: Mapping[str, float]) -> tuple[list[GateRow], GateRow | None]:
    """Compare each score with its gate's threshold; reaching the threshold passes, NaN never does.

    Returns:
        One row per score, in order, and the first that failed (None: all passed).

    Raises:
        KeyError: a gate has no threshold.
    """
    rows = [
        GateRow(
            gate=score.gate,
            score=score.score,
            threshold=thresholds[score.gate],
            passed=bool(score.score >= thresholds[score.gate]),
            reason=score.reason,
            model=score.model,
        )
        for score in scores
    ]
    return rows, next((row for row in rows if not row.passed), None)
