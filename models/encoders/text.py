"""Embed short texts for the soft match of entities: character n-grams offline, or any text encoder of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from models.contracts import Encoder
from models.device import device_of

NGRAMS = "ngrams"
_DIMENSIONS = 2**12


class NgramEncoder:
    """Hashed character n-grams of whole words (protocol `Encoder`): near words are near, synonyms are not."""

    revision: str = "char_wb-3-5/1"

    @cached_property
    def _hashing(self) -> Any:
        from sklearn.feature_extraction.text import HashingVectorizer

        return HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), n_features=_DIMENSIONS, alternate_sign=False, norm="l2"
        )

    def embed(self, batch: Sequence[str]) -> np.ndarray:
        """(n, 4096) float32 of unit length; a text without a word is all zeros."""
        if not batch:
            return np.zeros((0, _DIMENSIONS), np.float32)
        return self._hashing.transform([text.lower() for text in batch]).toarray().astype(np.float32)


class TransformersTextEncoder:
    """The mean of the last layer of a text encoder of transformers (protocol `Encoder`).

    Args:
        model: a folder or hub id, such as ``sentence-transformers/all-MiniLM-L6-v2``; safetensors only.
        batch: texts at a time.
    """

    def __init__(self, model: str, batch: int = 64) -> None:
        self._model, self._batch = model, batch

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from models.compat import torchvision_ready

        torchvision_ready()
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self._model)
        return tokenizer, AutoModel.from_pretrained(self._model, use_safetensors=True).eval()

    @property
    def revision(self) -> str:
        """The folder or hub id, with its commit where the hub names one."""
        return f"{self._model}@{getattr(self._loaded[1].config, '_commit_hash', None) or 'local'}"

    def embed(self, batch: Sequence[str]) -> np.ndarray:
        """(n, d) float32 of unit length."""
        import torch

        tokenizer, net = self._loaded
        parts = []
        with torch.inference_mode():
            for start in range(0, len(batch), self._batch):
                tokens = tokenizer(
                    list(batch[start : start + self._batch]), return_tensors="pt", padding=True, truncation=True,
                    max_length=min(int(tokenizer.model_max_length), int(net.config.max_position_embeddings)),
                ).to(device_of(net))  # fmt: skip
                mask = tokens["attention_mask"][..., None]
                hidden = net(**tokens).last_hidden_state * mask
                parts.append(torch.nn.functional.normalize(hidden.sum(1) / mask.sum(1), dim=-1).cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, int(net.config.hidden_size)), np.float32)


def text_encoder(name: str) -> Encoder:
    """The encoder called `name`: ``ngrams``, or a folder or hub id."""
    return NgramEncoder() if name == NGRAMS else TransformersTextEncoder(name)
