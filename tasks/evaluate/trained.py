"""Load the model of a checkpoint that this project trained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.vlp.objectives import preparation
from models.vlp.text_tower import TextTower
from storage.errors import CorruptShard
from storage.layout import checkpoint_identity
from tasks.pretrain.checkpoint import Checkpoint, read_weights

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from storage.objects import ObjectStore


def stored_model(store: ObjectStore, checkpoint: Checkpoint, device: str) -> VisionLanguageModel:
    """The model of a checkpoint in the store.

    Raises:
        ObjectMissing: its weights are gone.
        CorruptShard, ModelNotFound: as `trained_model`.
    """
    model = trained_model(read_weights(store, checkpoint), checkpoint, store.uri(checkpoint.key), device)
    return replace(model, identity=checkpoint_identity(checkpoint.fingerprint, checkpoint.step))


def trained_model(weights: bytes, checkpoint: Checkpoint, where: str, device: str) -> VisionLanguageModel:
    """The model as it was trained, with the heads of its objective.

    Args:
        weights: safetensors.
        checkpoint: their facts: model, text tower and objective.
        where: they were read from, for messages.
        device: where it computes.

    Raises:
        CorruptShard: the weights are damaged, or are not of the model that the facts name.
        ModelNotFound: its text tower or tokenizer is not on this machine.
    """
    from models.vlp.model import load

    objective = checkpoint.trial.objective
    prepare, text = preparation(objective.kind, objective.options), checkpoint.pretrain.get("text_tower")
    tower = None if text is None else TextTower.model_validate(text)
    try:
        return load(weights, str(checkpoint.pretrain["model"]), device, prepare, tower)
    except (ValueError, KeyError) as error:
        why = " ".join(str(error).split())
        raise CorruptShard(f"{where}: {why}; remove it and pretrain again") from error
