"""Objectives: what pretraining minimises, by kind.

An objective is a class with a method `losses`; it may put layers of its own on the model (`PreparesModel`), keep
weights within bounds (`ConstrainsModel`), and let a batch be computed in parts (`SplitsLoss`). Its kind is a name in
`OBJECTIVES`, or ``module:Class`` for one that lives elsewhere; its constructor's keyword arguments are the options
that a profile may give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from models.own_kinds import named
from models.registry import build, factory_of, problems, with_own

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.vlp.heads import PrepareModel
    from models.vlp.model import VisionLanguageModel

OBJECTIVES: Mapping[str, str] = {
    "clip": "models.vlp.objectives.clip:ClipObjective",
    "chexzero": "models.vlp.objectives.chexzero:ChexzeroObjective",
    "convirt": "models.vlp.objectives.convirt:ConvirtObjective",
    "convirt_mgca": "models.vlp.objectives.convirt:MgcaConvirtObjective",
    "gloria": "models.vlp.objectives.gloria:GloriaObjective",
}


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """What one training step sees.

    Args:
        images: (b, channels, size, size) float32, a random view of each image as the image tower reads it.
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


@runtime_checkable
class PreparesModel(Protocol):
    """An objective that changes a fresh model before it is trained."""

    def prepare(self, module: nn.Module) -> None:
        """Add heads (`models.vlp.heads`), or set what a weight starts from. Torch's generator is seeded."""
        ...


@runtime_checkable
class ConstrainsModel(Protocol):
    """An objective that keeps weights within bounds; without it the scale of the cosines stays in 1..100.

    One with another bound of the scale names it as ``largest_scale``, for the warning that the scale is at its bound.
    """

    def constrain(self, module: nn.Module) -> None:
        """Called without gradients after every step of the optimiser."""
        ...


@runtime_checkable
class SplitsLoss(Protocol):
    """An objective that reads pairs by their features alone, so that a batch can be computed in parts.

    ``losses(model, batch)`` is ``feature_losses(model, embed(model, batch), batch.texts)``.
    """

    def embed(self, model: VisionLanguageModel, batch: TrainingBatch) -> tuple[Tensor, ...]:
        """What the loss reads of the pairs, each (b, ...) with a row for each pair that depends on that pair alone."""
        ...

    def feature_losses(
        self, model: VisionLanguageModel, features: tuple[Tensor, ...], texts: tuple[str, ...], /
    ) -> dict[str, Tensor]:
        """The parts of the loss by name, of the features of all pairs and their texts."""
        ...


def build_objective(kind: str, options: Mapping[str, Any]) -> Objective:
    """The objective of a kind.

    Raises:
        UnknownKind: there is no such kind, or it does not take the options as given.
    """
    return build(OBJECTIVES, kind, options, Objective)


def preparation(kind: str, options: Mapping[str, Any]) -> PrepareModel:
    """What the objective of a kind does to a fresh model; the objective is built when it is called for.

    The function raises `UnknownKind` as `build_objective` does, and `models.vlp.features.NoFeatures` where the model's
    towers do not give what the objective's heads build on.
    """

    def prepare(module: nn.Module) -> None:
        objective = build_objective(kind, options)
        if isinstance(objective, PreparesModel):
            with named(kind):
                objective.prepare(module)

    return prepare


def needs_features(kind: str) -> bool:
    """Whether the objective of a kind puts layers on what the towers know before their projections.

    A class says so by ``needs_features = True``.

    Raises:
        KeyError: there is no such kind.
    """
    return bool(getattr(factory_of(with_own(OBJECTIVES, kind), kind), "needs_features", False))


def splits_loss(kind: str) -> bool:
    """Whether a batch can be computed in parts with the objective of a kind (`SplitsLoss`).

    A class that inherits both parts and has `losses` of its own minimises something else, and cannot.

    Raises:
        KeyError: there is no such kind.
    """
    factory = factory_of(with_own(OBJECTIVES, kind), kind)
    order = [vars(cls) for cls in getattr(factory, "__mro__", ())]
    own = {name: next((at for at, held in enumerate(order) if name in held), None) for name in _PARTS}
    whole, places = own.pop("losses"), [place for place in own.values() if place is not None]
    return len(places) == len(own) and whole is not None and min(places) <= whole


_PARTS = ("losses", "embed", "feature_losses")


def objective_problems(kind: str, options: Mapping[str, Any]) -> dict[str, str]:
    """What keeps `build_objective` from making it, by path, as `models.registry.problems` words it."""
    return problems(OBJECTIVES, kind, options, Objective)
