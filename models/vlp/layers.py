"""Know the layers of a model from its name, without weights: what a training with it would meet."""

from __future__ import annotations

from models.vlp.heads import PrepareModel
from models.vlp.library import open_clip
from models.vlp.model import LEAST_TEXT, quiet


def batch_norm_layers(name: str, prepare: PrepareModel | None = None) -> list[str]:
    """The names of the layers of batch norm in the image tower of an open_clip model, and in the heads.

    Args:
        name: of a model that `models.vlp.names.wrong_model` finds no fault with.
        prepare: adds the heads of an objective; None where it has none.
    """
    import torch

    from models.training.accumulate import live_batch_norms

    with quiet(), torch.device("meta"):
        module = open_clip().create_model(
            name, load_weights=False, pretrained_text=False, device="meta", force_custom_text=True, text_cfg=LEAST_TEXT
        )
        if prepare is not None:
            prepare(module)
    return live_batch_norms(module.train())
