"""What the towers know before any projection: of an image as a whole and by region, of a text as a whole and by word.

Objectives with layers of their own (`models.vlp.heads`) build on these; the objective ``clip`` needs none of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.vlp.losses.contrast import at_least_float32, without_autocast
from models.vlp.losses.gloria import Words
from models.vlp.transformers_text import TransformersText


class NoFeatures(ValueError):
    """A tower gives only whole embeddings, but an objective builds on what lies below."""


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Images as their tower sees them.

    Args:
        pooled: (b, c) from the last stage, before any projection.
        regions: (b, k, h, w), the map of an earlier stage.
    """

    pooled: Tensor
    regions: Tensor


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Texts as their tower reads them.

    Args:
        pooled: (b, d), the token that stands for the whole text in this tower, before any projection.
        tokens: (b, l, d), the sum of the last layers.
        words: (b, l) int64, the number of the word that a token is a piece of; -1 where it counts for none.
    """

    pooled: Tensor
    tokens: Tensor
    words: Tensor


@dataclass(frozen=True, slots=True)
class FeatureWidths:
    """How many channels each part has."""

    pooled: int
    regions: int
    text: int


def image_features(module: nn.Module, images: Tensor, stride: int = 16, side: int | None = None) -> ImageFeatures:
    """Run the image tower.

    Args:
        module: an open_clip model with a timm image tower.
        images: (b, channels, h, w).
        stride: the regions are the last map in which one place stands for so many pixels: the third stage of a
            residual network for 16.
        side: images are enlarged to so many pixels first, as GLoRIA does; None leaves them as they are.

    Raises:
        NoFeatures: the tower is none of timm's, or has no map of that stride.
    """
    trunk = _trunk(module)
    if side is not None:
        images = F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
    last, maps = trunk.forward_intermediates(images, indices=[_stage(trunk, stride)])
    return ImageFeatures(trunk.forward_head(last), maps[0])


def position_features(module: nn.Module, images: Tensor) -> Tensor:
    """What `ImageFeatures.pooled` is made of, place by place: (b, h, w, c).

    Each place of the last map goes alone through what the tower does after it: pooling, norm. Where that is a mean and
    an affine map, the mean over the places is `ImageFeatures.pooled`.

    Args:
        module: an open_clip model with a timm image tower, in evaluation mode.
        images: (b, channels, h, w).

    Raises:
        NoFeatures: the tower is none of timm's.
    """
    trunk = _trunk(module)
    last = trunk.forward_features(images)
    if last.ndim == 3:  # tokens of a transformer
        tokens = last[:, trunk.num_prefix_tokens :]
        side = math.isqrt(tokens.shape[1])
        if side * side != tokens.shape[1]:
            raise NoFeatures(f"the image tower has {tokens.shape[1]} places, which are no square")
        places = tokens.reshape(-1, 1, tokens.shape[2])
        shape = (len(images), side, side)
    else:
        shape = (len(images), last.shape[2], last.shape[3])
        places = last.permute(0, 2, 3, 1).reshape(-1, last.shape[1], 1, 1)
    return trunk.forward_head(places).reshape(*shape, -1)


@contextmanager
def finer_places(module: Any) -> Iterator[None]:
    """Within the block, the last stage of a convolutional image tower looks between its own places too.

    Where the stage halves the sides of the map before it, it is also applied to that map moved by one place down,
    across and both, and what comes out is interleaved: twice as many places each way, with the tower's own at even
    numbers. But for the margin of the film, this is the stage with dilation in place of its stride. Other towers stay
    as they are.

    Args:
        module: an open_clip model, or one of another library.
    """
    trunk: Any = getattr(getattr(module, "visual", None), "trunk", None)
    if not getattr(trunk, "feature_info", None):
        yield
        return
    stage: Any = trunk.get_submodule(trunk.feature_info[-1]["module"])
    hook = stage.register_forward_hook(_interleaved)
    try:
        yield
    finally:
        hook.remove()


def _interleaved(stage: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    before = inputs[0]
    if output.ndim != 4 or output.shape[2:] != tuple((side + 1) // 2 for side in before.shape[2:]):
        return output
    full = output.new_empty(*output.shape[:2], *before.shape[2:])
    full[:, :, ::2, ::2] = output
    for down, across in ((0, 1), (1, 0), (1, 1)):
        between = full[:, :, down::2, across::2]
        moved = stage.forward(F.pad(before, (across, across, down, down)))
        between.copy_(moved[:, :, down : down + between.shape[2], across : across + between.shape[3]])
    return full


def text_features(module: nn.Module, ids: Tensor, words: Tensor, layers: int = 1) -> TextFeatures:
    """Run the text tower.

    Args:
        module: an open_clip model with a text tower of its own, or of transformers.
        ids: (b, l) token ids.
        words: (b, l), see `TextFeatures`; from the tokenizer.
        layers: so many last layers are summed, or all that there are. Each layer of open_clip's tower goes through
            its final norm, since they pass on sums that no norm has seen; those of an encoder of transformers are
            summed as they are.

    Raises:
        NoFeatures: the text tower gives no tokens.
    """
    from open_clip.transformer import text_global_pool

    tower = _text_tower(module)
    if isinstance(tower, TransformersText):
        return TextFeatures(*tower.read(ids, layers), words)
    depth = len(tower.transformer.resblocks)
    found = tower.forward_intermediates(
        ids, indices=min(layers, depth), normalize_intermediates=True, intermediates_only=True, output_fmt="NLC"
    )["text_intermediates"]
    pooled = text_global_pool(found[-1], ids, tower.pool_type, tower.eos_id)
    return TextFeatures(pooled, torch.stack(found).sum(dim=0), words)


def feature_widths(module: nn.Module, stride: int = 16) -> FeatureWidths:
    """The channels of what `image_features` and `text_features` give.

    Raises:
        NoFeatures: as they do.
    """
    trunk = _trunk(module)
    regions = int(trunk.feature_info[_stage(trunk, stride)]["num_chs"])
    return FeatureWidths(int(trunk.num_features), regions, int(_text_tower(module).width))


def words_of(features: TextFeatures) -> Words:
    """The words of texts, each the sum of its pieces; there are as many slots as tokens."""
    slots = torch.arange(features.words.shape[1], device=features.words.device)
    belongs = features.words[:, None, :] == slots[None, :, None]
    with without_autocast(features.tokens):
        tokens = at_least_float32(features.tokens)
        return Words(belongs.to(tokens.dtype) @ tokens, belongs.any(dim=2))


def mean_of_tokens(features: TextFeatures) -> Tensor:
    """The mean (b, d) over the tokens that belong to a word."""
    counted = (features.words >= 0).to(features.tokens.dtype)[:, :, None]
    return (features.tokens * counted).sum(dim=1) / counted.sum(dim=1)


def mean_of_words(features: TextFeatures) -> Tensor:
    """The mean (b, d) over words, each the sum of its pieces."""
    counted = (features.words >= 0).to(features.tokens.dtype)[:, :, None]
    return (features.tokens * counted).sum(dim=1) / (features.words.amax(dim=1, keepdim=True) + 1)


def max_of_tokens(features: TextFeatures) -> Tensor:
    """The maximum (b, d) over the tokens that belong to a word."""
    return features.tokens.masked_fill((features.words < 0)[:, :, None], -torch.inf).amax(dim=1)


def _trunk(module: Any) -> Any:
    trunk = getattr(module.visual, "trunk", None)
    if trunk is None or not hasattr(trunk, "forward_intermediates") or not hasattr(trunk, "feature_info"):
        raise NoFeatures(
            f"the image tower {type(module.visual).__name__} gives no regions: take a model whose vision_cfg names a "
            "timm_model_name, or the objective clip"
        )
    return trunk


def _stage(trunk: Any, stride: int) -> int:
    strides = [int(stage["reduction"]) for stage in trunk.feature_info]
    if stride not in strides:
        raise NoFeatures(f"the image tower has maps of stride {', '.join(map(str, strides))}, none of {stride}")
    return len(strides) - 1 - strides[::-1].index(stride)


def _text_tower(module: Any) -> Any:
    tower = getattr(module, "text", None)
    if isinstance(tower, TransformersText):
        return tower
    if not hasattr(tower, "forward_intermediates") or getattr(tower, "cls_emb", None) is not None:
        raise NoFeatures(
            f"the text tower of {type(module).__name__} gives no tokens: take a model with custom_text, or the "
            "objective clip"
        )
    return tower
