"""Embed films with the features of a shipped classifier's last layer before its logits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models.contracts import ModelNotFound
from models.device import device_of
from models.encoders.image import unit
from models.nets.shipped import REMEDY, SHIPPED
from models.typed import AnyPath, Count


class ClassifierFeatureEncoder:
    """An `Encoder`: the input of a classifier's last stage, scaled to length 1.

    Args:
        classifier: name of the classifier under `folder`, such as ``agreement`` or ``examiner``.
        folder: where ``<classifier>.safetensors`` and ``<classifier>.json`` lie.
        batch: films at a time.
    """

    def __init__(self, classifier: str = "agreement", folder: AnyPath = SHIPPED, batch: Count = 64) -> None:
        self._name, self._folder, self._batch = classifier, Path(folder), batch

    @property
    def revision(self) -> str:
        """Name and first digits of the weights' SHA-256."""
        return self._revision

    @cached_property
    def _revision(self) -> str:
        path = self._folder / f"{self._name}.safetensors"
        if not path.is_file():
            raise ModelNotFound(f"{path} is missing; {REMEDY}")
        return f"{self._name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"

    @cached_property
    def _net(self) -> Any:
        from models.nets.classifier import load_classifier

        return load_classifier(self._name, self._folder)[0]

    def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """(n, d) float32 of unit length from grey uint8 films of any sizes."""
        import torch

        from models.nets.classifier import film_batch

        head = self._net.head
        taken: list[np.ndarray] = []
        hook = head.register_forward_pre_hook(lambda _, given: taken.append(given[0].float().cpu().numpy()))
        try:
            with torch.inference_mode():
                for at in range(0, len(batch), self._batch):
                    self._net(film_batch(batch[at : at + self._batch]).to(device_of(self._net)))
        finally:
            hook.remove()
        if not taken:
            first: Any = head[0] if isinstance(head, torch.nn.Sequential) else head
            return np.zeros((0, first.in_features), np.float32)
        return unit(np.concatenate(taken))
