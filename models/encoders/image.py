"""Embed films: ours by default, or any vision transformer such as RAD-DINO from a folder or the hub."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.contracts import Encoder
from models.device import device_of
from models.typed import AnyPath, Count

OURS = "film"


class FilmEncoder:
    """The layer before the last of the defect network (protocol `Encoder`, 64 numbers a film).

    Args:
        folder: where ``defects.safetensors`` and ``defects.json`` lie; None takes those that ship with us.
        batch: films at a time.
    """

    def __init__(self, folder: AnyPath | None = None, batch: Count = 64) -> None:
        self._folder, self._batch = folder, batch

    @cached_property
    def _net(self) -> tuple[Any, str]:
        from models.nets.defect_net import load_defect_net
        from models.nets.shipped import SHIPPED

        return load_defect_net(Path(self._folder) if self._folder else SHIPPED)

    @property
    def revision(self) -> str:
        """Name and first digits of the weights' SHA-256."""
        return self._net[1]

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """See the class."""
        import torch

        from models.nets.defect_net import WIDTH, films_to_tensor

        net, starts = self._net[0], range(0, len(batch), self._batch)
        device = device_of(net)
        with torch.inference_mode():
            inputs = (films_to_tensor(batch[at : at + self._batch]).to(device) for at in starts)
            parts = [net.embed(films).cpu().numpy() for films in inputs]
        return unit(np.concatenate(parts)) if parts else np.zeros((0, WIDTH), np.float32)


class TransformersEncoder:
    """The pooled output of a vision model of transformers, else its first token (protocol `Encoder`).

    Args:
        model: a folder or hub id, such as ``microsoft/rad-dino``; safetensors only, no code from the hub.
        batch: films at a time.
    """

    def __init__(self, model: str, batch: Count = 16) -> None:
        self.model, self._batch = model, batch

    @cached_property
    def _parts(self) -> tuple[Any, Any, str]:
        from models.compat import torchvision_ready
        from models.language.resolve import resolve

        weights = resolve(self.model)
        torchvision_ready()
        from transformers import AutoImageProcessor, AutoModel

        net = AutoModel.from_pretrained(weights.folder, use_safetensors=True).eval()
        revision = f"{weights.name}@{weights.revision}:{weights.sha256[:12]}"
        return net, AutoImageProcessor.from_pretrained(weights.folder), revision

    @property
    def revision(self) -> str:
        """Name, revision and first digits of the weights' SHA-256.

        Raises:
            ModelNotFound: the weights are missing; the message states how to get them.
        """
        return self._parts[2]

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """See the class."""
        import torch

        net, processor, _ = self._parts
        parts = []
        with torch.inference_mode():
            for at in range(0, len(batch), self._batch):
                inputs = processor(images=[_rgb(film) for film in batch[at : at + self._batch]], return_tensors="pt")
                seen = net(**inputs.to(device_of(net)))
                pooled = seen.get("pooler_output")
                parts.append((seen.last_hidden_state[:, 0] if pooled is None else pooled).float().cpu().numpy())
        return unit(np.concatenate(parts)) if parts else np.zeros((0, net.config.hidden_size), np.float32)


def open_encoder(spec: str = OURS, folder: str | Path | None = None) -> Encoder:
    """``film`` is ours, with its weights in `folder`; anything else is a folder or hub id of a transformers model."""
    return FilmEncoder(folder) if spec == OURS else TransformersEncoder(spec)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one, float32; an empty row stays empty."""
    rows = np.asarray(rows, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _rgb(film: np.ndarray) -> np.ndarray:
    finite = np.nan_to_num(np.asarray(film, np.float32), nan=0, posinf=0, neginf=0)
    return cv2.cvtColor(np.clip(finite, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
