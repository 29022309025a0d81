"""Know the layers of a model from its name, without weights: what a training with it would meet."""

from __future__ import annotations

from typing import Any

from models.training.errors import NoCheckpointing
from models.vlp.heads import PrepareModel
from models.vlp.library import open_clip
from models.vlp.model import LEAST_TEXT, quiet


def batch_norm_layers(name: str, prepare: PrepareModel | None = None) -> list[str]:
    """The names of the layers of batch norm in the image tower of an open_clip model, and in the heads.

    Args:
        name: of a model that `models.vlp.names.wrong_model` finds no fault with.
        prepare: adds the heads of an objective; None where it has none.
    """
    from models.training.accumulate import live_batch_norms

    return live_batch_norms(_without_weights(name, prepare).train())


def checkpointing_problem(name: str) -> str | None:
    """Why the image tower of an open_clip model cannot compute its activations anew; None where it can."""
    from models.vlp.checkpointing import checkpoint_activations

    try:
        checkpoint_activations(_without_weights(name))
    except NoCheckpointing as error:
        return str(error)
    return None


def _without_weights(name: str, prepare: PrepareModel | None = None) -> Any:
    """The model with the least of text towers, on ``meta``."""
    import torch

    with quiet(), torch.device("meta"):
        module = open_clip().create_model(
            name, load_weights=False, pretrained_text=False, device="meta", force_custom_text=True, text_cfg=LEAST_TEXT
        )
        if prepare is not None:
            prepare(module)
    return module
