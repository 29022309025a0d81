"""What can be wrong with a plan before anything is made."""

from __future__ import annotations

from collections.abc import Sequence


class PlanError(ValueError):
    """A request that no plan can meet; the message, one line, says how far it could be met."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems))


class BankError(PlanError):
    """An entity bank that cannot be read; its bad rows are counted and the first are named."""


class InfeasiblePlan(PlanError):
    """The rules leave no sample, or no arrangement of a type's entities over some samples."""
