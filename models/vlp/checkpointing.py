"""Compute activations anew for the gradient in place of holding them."""

from __future__ import annotations

from typing import Any

from models.training.errors import NoCheckpointing
from models.vlp.transformers_text import TransformersText


def checkpoint_activations(module: Any) -> None:
    """Make both towers of an open_clip model hold only what enters each block.

    Raises:
        NoCheckpointing: the image tower cannot, or the text tower.
    """
    from open_clip.modified_resnet import ModifiedResNet

    visual, text = module.visual, getattr(module, "text", None)
    if isinstance(visual, ModifiedResNet):
        raise _no("image tower", visual)
    _ask("image tower", getattr(visual, "trunk", visual))
    if text is None:
        module.transformer.grad_checkpointing = True
    elif not (isinstance(text, TransformersText) and text.frozen):
        _ask("text tower", text)


def _ask(which: str, tower: Any) -> None:
    try:
        tower.set_grad_checkpointing(True)
    except (
        AttributeError,
        AssertionError,
        ValueError,
        NotImplementedError,
    ) as error:  # as timm and transformers say no
        raise _no(which, tower) from error


def _no(which: str, tower: Any) -> NoCheckpointing:
    return NoCheckpointing(
        f"the {which} {type(tower).__name__} cannot compute its activations anew: set checkpoint_activations to "
        "false, or take a tower of timm, a ViT or a BERT"
    )
