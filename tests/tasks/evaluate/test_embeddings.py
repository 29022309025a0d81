"""Image embeddings are computed once by checkpoint and films, and damaged ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from storage.errors import CorruptShard
from storage.local import LocalStore
from tasks.evaluate.embeddings import ensure_embeddings

KEY = "predictions/a/b/v1/0123456789abcdef.safetensors"
ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def never() -> np.ndarray:
    raise AssertionError("embedded again")


def test_they_are_computed_once(store: LocalStore) -> None:
    assert (ensure_embeddings(store, KEY, 3, lambda: ROWS) == ROWS).all()
    assert (ensure_embeddings(store, KEY, 3, never) == ROWS).all()


def test_half_precision_is_kept_as_float32(store: LocalStore) -> None:
    assert ensure_embeddings(store, KEY, 3, lambda: ROWS.astype(np.float16)).dtype == np.float32


def test_of_two_processes_the_first_counts(store: LocalStore) -> None:
    def slower() -> np.ndarray:
        ensure_embeddings(store, KEY, 3, lambda: ROWS)
        return ROWS + 1e-7

    assert (ensure_embeddings(store, KEY, 3, slower) == ROWS).all()
    assert (ensure_embeddings(store, KEY, 3, never) == ROWS).all()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "holds no embeddings"),
        (b"no safetensors at all", "holds no embeddings"),
        (save({"images": ROWS})[:-4], "holds no embeddings"),
        (save({"texts": ROWS}), "holds no embeddings"),
        (save({"images": ROWS[:2]}), r"of shape \(2, 2\) in place of embeddings of 3 films"),
        (save({"images": ROWS[0]}), r"of shape \(2,\)"),
        (save({"images": ROWS.astype(np.float64)}), "holds float64"),
    ],
)
def test_damaged_ones_are_named_with_the_remedy(store: LocalStore, data: bytes, why: str) -> None:
    store.put(KEY, data)
    with pytest.raises(CorruptShard, match=why) as error:
        ensure_embeddings(store, KEY, 3, never)
    assert KEY in str(error.value)
    assert "remove it and evaluate again" in str(error.value)
