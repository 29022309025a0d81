"""What can be wrong with a plan before anything is made."""

from __future__ import annotations

from collections.abc import Sequence


class PlanError(ValueError):
    """A request that no plan can meet; the message says how far it could be met."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class BankError(PlanError):
    """An entity bank that cannot be read; every bad row is named with its file."""


class InfeasiblePlan(PlanError):
    """The rules leave no arrangement of a type's entities over some samples."""
