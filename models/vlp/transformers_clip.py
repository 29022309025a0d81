"""A CLIP of transformers behind the methods of an open_clip model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.compat import torchvision_ready
from models.device import pick_device
from models.vlp.features import NoFeatures
from models.vlp.library import open_clip
from models.vlp.vocabulary import TransformersTokenizer


class TransformersClip(nn.Module):
    """Both towers and projections of a ``CLIPModel``.

    Args:
        net: a ``transformers.CLIPModel``.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net
        self.embed_dim = int(net.config.projection_dim)

    def encode_image(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) to (b, d), of any length."""
        return self.net.visual_projection(self.net.vision_model(pixel_values=images).pooler_output)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Token ids (b, l) to (b, d), of any length; the end token stands for the text, and attention is causal."""
        return self.net.text_projection(self.net.text_model(input_ids=ids).pooler_output)

    def encode_regions(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) to (b, h', w', d): each patch token through the last norm and the projection.

        Only the class token was trained to be compared with texts, so these places are what its network makes of
        patches and no mean of them is the image's embedding.

        Raises:
            NoFeatures: the patches are no square.
        """
        tower = self.net.vision_model
        tokens = tower(pixel_values=images).last_hidden_state[:, 1:]
        side = round(tokens.shape[1] ** 0.5)
        if side * side != tokens.shape[1]:
            raise NoFeatures(f"the image tower has {tokens.shape[1]} places, which are no square")
        places = self.net.visual_projection(tower.post_layernorm(tokens))
        return places.reshape(len(images), side, side, -1)


def load_clip(folder: Path, device: str = "cpu") -> tuple[TransformersClip, TransformersTokenizer, int]:
    """The model, its tokenizer, and the side in pixels of its images.

    Raises:
        OSError, ValueError, RuntimeError: transformers cannot load it.
    """
    import torch

    torchvision_ready()
    from safetensors import SafetensorError
    from transformers import CLIPModel

    try:
        loaded: Any = CLIPModel.from_pretrained(
            str(folder), use_safetensors=True, local_files_only=True, trust_remote_code=False, dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
    except SafetensorError as error:
        raise ValueError(f"its weights are damaged ({error}): get them again") from error
    net, report = loaded
    lacking = sorted(str(name) for name in report["missing_keys"])
    if lacking:
        raise ValueError(f"{len(lacking)} weights are missing (such as {lacking[0]})")
    context = int(net.config.text_config.max_position_embeddings)
    inner = open_clip().tokenizer.HFTokenizer(
        str(folder), context_length=context, clean="whitespace", local_files_only=True
    )
    if inner.tokenizer.pad_token_id is None:
        raise ValueError("its tokenizer has no token for padding")
    module = TransformersClip(net).to(pick_device(device))
    return module, TransformersTokenizer(inner), int(net.config.vision_config.image_size)
