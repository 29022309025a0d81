"""The gate against copies: is this film one that the generator was trained on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from models.contracts import Candidate, Encoder, GateScore
from models.gates.film.view import film_of
from models.gates.training_index import Neighbour, TrainingSetIndex, load_index
from models.typed import AnyPath


class Memorisation:
    """How unlike a film is to the nearest film of the generator's training archive.

    The score is 0.5 where the fine structure agrees as much as in the odd held-out film that the index's limit was
    set by (1 in 100 by default), and 0 for an exact copy. How many copies this finds is measured on
    planted ones and kept with the index: without those figures the gate proves nothing.

    Args:
        index: index of the training archive, a file written by `synth privacy index`.
        encoder: kind of the encoder that the index was made with.
        encoder_options: its options.
    """

    name = "memorisation"

    def __init__(
        self,
        index: AnyPath = "memory.safetensors",
        encoder: str = "classifier-features",
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._path, self._kind, self._options = index, encoder, dict(encoder_options or {})

    @cached_property
    def _index(self) -> TrainingSetIndex:
        return load_index(self._path)

    @cached_property
    def _encoder(self) -> Encoder:
        from models import registry

        return registry.build(registry.ENCODERS, self._kind, self._options)

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """See the class.

        Raises:
            ModelNotFound: there is no index.
            ValueError: a candidate has no image, or the index was made with another encoder.
        """
        near = self._index.nearest([_film(candidate) for candidate in batch], self._encoder)
        model = f"memory of {len(self._index)} films, {self._index.encoder}"
        return [GateScore(self.name, unlikeness(n, self._index.limit), _reason(n), model) for n in near]


def unlikeness(near: Neighbour, limit: float) -> float:
    """1 for a film unlike all, 0.5 at the limit, 0 for a copy."""
    return float(np.clip(0.5 * (1 - near.correlation) / max(1 - limit, 1e-6), 0, 1))


def _reason(near: Neighbour) -> str:
    way = ", mirrored" if near.mirrored else ""
    return f"nearest is {near.by_pixels} (fine structure {near.correlation:.3f}{way}; embedding {near.cosine:.3f})"


def _film(candidate: Candidate) -> np.ndarray:
    return np.nan_to_num(film_of(candidate)).clip(0, 255).astype(np.uint8)
