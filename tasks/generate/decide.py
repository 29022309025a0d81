"""Open gates and turn their scores into decisions.

Gates only score, so a new threshold re-decides and regenerates nothing. A gate cannot judge an entity outside its
vocabulary: a recipe lets such an entity pass by name (`GateSpec.allow_unjudged`), and the score then counts it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from models import registry
from models.contracts import Candidate, Gate, GateScore, TakesBank, VocabularyGate
from storage.records import GateRow
from tasks.plan.bank import Bank
from tasks.recipe.schema import GateSpec


class Lenient:
    """A gate that lets entities outside its vocabulary pass, where a recipe allows them; its scores count these.

    Args:
        gate: a gate with a vocabulary (`VocabularyGate`).
        allowed: see `allows`. A sample with another entity outside its vocabulary scores NaN.
    """

    def __init__(self, gate: VocabularyGate, allowed: Sequence[str]) -> None:
        self._gate, self._allowed = gate, allowed

    @property
    def name(self) -> str:
        """The gate's own."""
        return self._gate.name

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """The gate's own scores, with what it passed over."""
        return [self._marked(*pair) for pair in zip(batch, self._gate.score(batch), strict=True)]

    def _marked(self, candidate: Candidate, score: GateScore) -> GateScore:
        unknown = [mention.entity for mention in candidate.mentions if not self._gate.covers(mention)]
        refused = [entity for entity in unknown if not allows(self._allowed, entity)]
        if refused:
            return replace(score, score=float("nan"), reason=f"not judged, nor allowed to be: {', '.join(refused)}")
        said = [f"not judged: {', '.join(unknown)}"] if unknown else []
        said += [score.reason] if score.reason else []
        return replace(score, reason="; ".join(said), not_judged=len(unknown))


def open_gates(specs: Sequence[GateSpec], bank: Bank | None = None) -> list[tuple[Gate, float]]:
    """The gates that a recipe names, each with its threshold.

    Args:
        specs: kinds, options and thresholds.
        bank: the recipe's; a gate whose options name no findings takes those of the bank.
    """
    return [(_open(spec, bank), spec.threshold) for spec in specs]


def _open(spec: GateSpec, bank: Bank | None) -> Gate:
    gate: Gate = registry.build(registry.GATES, spec.kind, spec.options)
    give_bank(gate, bank)
    return Lenient(gate, spec.allow_unjudged) if spec.allow_unjudged and isinstance(gate, VocabularyGate) else gate


def give_bank(gate: Gate, bank: Bank | None) -> None:
    """Tell a gate that takes one the recipe's bank.

    Raises:
        UnknownLabelSet, TableError: the bank's label set cannot be read.
    """
    if bank is not None and isinstance(gate, TakesBank):
        gate.take_bank(bank.entities, bank.label_set)


def allows(allowed: Sequence[str], entity: str) -> bool:
    """Whether `allowed` names an entity by its id or its term, letter case aside; ``*`` stands for anything."""
    names = (entity.casefold(), entity.partition("/")[2].casefold())
    return any(fnmatchcase(name, each.casefold()) for each in allowed for name in names if name)


def decide(scores: Sequence[GateScore], thresholds: Mapping[str, float]) -> tuple[list[GateRow], GateRow | None]:
    """Compare each score with its gate's threshold; reaching the threshold passes, NaN never does.

    A gate that could judge nothing and was allowed to has no score, and its sample passes.

    Returns:
        One row per score, in order, and the first that failed (None: all passed).

    Raises:
        KeyError: a gate has no threshold.
    """
    rows = [_decided(score, thresholds[score.gate]) for score in scores]
    return rows, next((row for row in rows if not row.passed), None)


def _decided(score: GateScore, threshold: float) -> GateRow:
    unscored = bool(score.not_judged) and math.isnan(score.score)
    return GateRow(
        gate=score.gate,
        score=None if unscored else score.score,
        threshold=threshold,
        passed=unscored or bool(score.score >= threshold),
        reason=score.reason,
        model=score.model,
        not_judged=score.not_judged,
    )
