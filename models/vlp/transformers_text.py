"""Run a text encoder of transformers as the text tower of an open_clip model."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from models.compat import torchvision_ready
from models.contracts import ModelNotFound
from models.vlp.library import open_clip
from models.vlp.text_cache import TextCache
from models.vlp.text_tower import TextTower, folder_of, wrong_text_tower
from models.vlp.vocabulary import TransformersTokenizer


class TransformersText(nn.Module):
    """A text encoder and a linear projection to the embeddings.

    It computes without dropout also in training, so that equal texts have equal embeddings.

    Args:
        net: an encoder of transformers.
        pad: id of the token that fills a row and is not attended to.
        width: of the embeddings.
        tower: what was asked for.
    """

    def __init__(self, net: Any, pad: int, width: int, tower: TextTower) -> None:
        super().__init__()
        self.net, self._pad, self._tower = net, pad, tower
        self.width = int(net.config.hidden_size)
        self.context_length, self.vocab_size = tower.context, int(net.config.vocab_size)
        self.text_projection = nn.Linear(self.width, width, bias=False)
        self.net.requires_grad_(not tower.frozen)
        self.net.eval()
        self._cache: TextCache | None = None
        self._checkpoints = False

    @property
    def frozen(self) -> bool:
        """Whether the encoder stays as it is."""
        return self._tower.frozen

    def cache_texts(self, megabytes: float) -> None:
        """Read each text once in training, where the encoder is frozen; `megabytes` are the most that is held."""
        self._cache = TextCache(self._read, self._pad, megabytes) if self.frozen and megabytes else None

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute the activations of each layer anew for the gradient.

        Raises:
            ValueError: this encoder cannot.
        """
        if enable:
            self.net.gradient_checkpointing_enable({"use_reentrant": False})
        else:
            self.net.gradient_checkpointing_disable()
        self._checkpoints = enable
        self.train(self.training)

    def train(self, mode: bool = True) -> TransformersText:
        """Set the mode of the projection; the encoder stays without dropout."""
        super().train(mode)
        self.net.eval()
        for layer in self.net.modules() if self._checkpoints else ():
            if getattr(layer, "gradient_checkpointing", False):
                layer.training = mode  # of the layer alone: what is below it, dropout too, stays in evaluation mode
        if not mode and self._cache is not None:
            self._cache.clear()
        return self

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (b, l) to embeddings (b, width)."""
        return self.text_projection(self.read(ids, 0)[0])

    def read(self, ids: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        """What stands for each text (b, d), from the last layer, and its tokens (b, l, d), the last layers summed.

        Args:
            ids: (b, l) token ids.
            layers: so many last layers are summed, or all that there are; 0 for no tokens, (b, l, 0).
        """
        return self._read(ids, layers) if self._cache is None or not self.training else self._cache(ids, layers)

    def _read(self, ids: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        attended = (ids != self._pad).long()
        with torch.no_grad() if self._tower.frozen else nullcontext():
            hidden = self.net(input_ids=ids, attention_mask=attended, output_hidden_states=True).hidden_states
            tokens = torch.stack(hidden[1:][-layers:]).sum(dim=0) if layers else hidden[-1][:, :, :0]
        last = hidden[-1]
        if self._tower.pool == "first":
            return last[:, 0], tokens
        weight = attended[:, :, None].to(last.dtype)
        return (last * weight).sum(dim=1) / weight.sum(dim=1), tokens


def load_text_tower(tower: TextTower, width: int) -> tuple[TransformersText, TransformersTokenizer]:
    """The tower with the weights in its folder, and its tokenizer.

    Args:
        tower: which one.
        width: of the embeddings.

    Raises:
        ModelNotFound: its files are missing, damaged or no text encoder's, or the context is longer than it reads.
    """
    if wrong := wrong_text_tower(tower):
        raise ModelNotFound(wrong[0])
    torchvision_ready()
    from safetensors import SafetensorError
    from transformers import AutoModel

    folder = str(folder_of(tower))
    try:
        net = AutoModel.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, trust_remote_code=False, dtype=torch.float32
        )
        inner = open_clip().tokenizer.HFTokenizer(folder, context_length=tower.context, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise ModelNotFound(f"{tower.path} holds no text encoder that transformers can load: {why}") from error
    pad, longest = inner.tokenizer.pad_token_id, getattr(net.config, "max_position_embeddings", None)
    if pad is None or not hasattr(net.config, "hidden_size"):
        raise ModelNotFound(f"{tower.path} is no encoder with padding, such as BERT: take another")
    if longest is not None and tower.context > longest:
        raise ModelNotFound(f"{tower.path} reads {longest} tokens: lower context ({tower.context})")
    if getattr(net, "pooler", None) is not None:
        net.pooler = None  # of another training, and unused
    return TransformersText(net, int(pad), width, tower), TransformersTokenizer(inner)
