"""The image embeddings of a model on a dataset version, kept in the store beside its predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import AlreadyExists, CorruptShard, ObjectMissing

if TYPE_CHECKING:
    from storage.objects import ObjectStore

_NAME = "images"


def ensure_embeddings(store: ObjectStore, key: str, films: int, embed: Callable[[], np.ndarray]) -> np.ndarray:
    """The embeddings at `key`, (films, d) float32; made and kept, create-only, where there are none.

    Raises:
        CorruptShard: what is there are no embeddings of so many films.
    """
    from safetensors.numpy import save

    try:
        return _read(store, key, films)
    except ObjectMissing:
        made = np.ascontiguousarray(embed(), np.float32)
    try:
        store.put(key, save({_NAME: made}))
    except AlreadyExists:  # another process was first with the same embeddings
        return _read(store, key, films)
    return made


def _read(store: ObjectStore, key: str, films: int) -> np.ndarray:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = store.get(key)
    try:
        found = load(data)[_NAME]
    except (SafetensorError, KeyError, ValueError) as error:
        why = " ".join(str(error).split())
        raise CorruptShard(f"{store.uri(key)} holds no embeddings: {why}; remove it and evaluate again") from error
    if found.ndim != 2 or len(found) != films or found.dtype != np.float32:
        raise CorruptShard(
            f"{store.uri(key)} holds {found.dtype} of shape {found.shape} in place of embeddings of {films} films: "
            "remove it and evaluate again"
        )
    return found
