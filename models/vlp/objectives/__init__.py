"""Objectives: what pretraining minimises, by kind.

An objective is a class with a method `losses`. Its kind is a name in `OBJECTIVES`, or ``module:Class`` for one that
lives elsewhere; its constructor's keyword arguments are the options that a profile may give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from models.registry import build, problems, with_own

if TYPE_CHECKING:
    from torch import Tensor

    from models.vlp.model import VisionLanguageModel

OBJECTIVES: Mapping[str, str] = {"clip": "models.vlp.objectives.clip:ClipObjective"}


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """What one training step sees.

    Args:
        images: (b, 1, size, size) float32, a random view of each image, standardised.
        tokens: (b, context) int64, the texts as the model's tokenizer reads them.
        texts: the b texts themselves.
    """

    images: Tensor
    tokens: Tensor
    texts: tuple[str, ...]


@runtime_checkable
class Objective(Protocol):
    """Something to minimise."""

    def losses(self, model: VisionLanguageModel, batch: TrainingBatch) -> dict[str, Tensor]:
        """The parts of the loss by name, scalars with gradients; training minimises their sum."""
        ...


def build_objective(kind: str, options: Mapping[str, Any]) -> Objective:
    """The objective of a kind.

    Raises:
        UnknownKind: there is no such kind, or it does not take the options as given.
    """
    return build(with_own(OBJECTIVES, kind), kind, options)


def objective_problems(kind: str, options: Mapping[str, Any]) -> dict[str, str]:
    """What keeps `build_objective` from making it, by path, as `models.registry.problems` says it."""
    return problems(with_own(OBJECTIVES, kind), kind, options)
