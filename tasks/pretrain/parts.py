"""Compute a batch in parts, where the objective reads pairs by their features alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.own_kinds import named
from models.training.errors import CannotAccumulate
from models.vlp.objectives import Objective, SplitsLoss, TrainingBatch, splits_loss

if TYPE_CHECKING:
    import torch

    from models.training.accumulate import FeatureLoss
    from models.vlp.model import VisionLanguageModel


def loss_in_parts(
    objective: Objective, model: VisionLanguageModel, kind: str, micro_batch: int | None
) -> FeatureLoss | None:
    """The loss of an objective for `micro_batch` pairs at a time; None where the batch is computed at once.

    Args:
        objective: of that kind.
        model: that it trains.
        kind: of the objective.
        micro_batch: pairs of a part; None is the whole batch.

    Raises:
        CannotAccumulate: the objective cannot do with parts.
    """
    if micro_batch is None:
        return None
    if not isinstance(objective, SplitsLoss) or not splits_loss(kind):
        raise CannotAccumulate(objective_problem(kind))
    import torch

    from models.training.accumulate import FeatureLoss

    def embed(part: TrainingBatch) -> tuple[torch.Tensor, ...]:
        with named(kind):
            return objective.embed(model, part)

    def loss(batch: TrainingBatch, features: tuple[torch.Tensor, ...]) -> torch.Tensor:
        with named(kind):
            return torch.stack(list(objective.feature_losses(model, features, batch.texts).values())).sum()

    return FeatureLoss(lambda batch: split_batch(batch, micro_batch), embed, loss)


def split_batch(batch: TrainingBatch, size: int) -> list[TrainingBatch]:
    """A batch in parts of `size` pairs; the last may have fewer."""
    return [rows_of(batch, at, at + size) for at in range(0, len(batch.texts), size)]


def rows_of(batch: TrainingBatch, first: int, last: int) -> TrainingBatch:
    """Some of the pairs of a batch."""
    return TrainingBatch(batch.images[first:last], batch.tokens[first:last], batch.texts[first:last])


def objective_problem(kind: str) -> str:
    """Why an objective cannot do with parts of a batch."""
    return (
        f"objective {kind} cannot be computed on parts of a batch: leave micro_batch out, or give its class embed and "
        "feature_losses (models.vlp.objectives.SplitsLoss)"
    )
