"""How a stranger reads a published version: the dataset card prints this function as it stands."""

from __future__ import annotations

import inspect
from typing import Any


def read_pairs(folder: str = "pairs") -> Any:
    """Films (PIL images), reports (text) and rows (dicts) of all shards, in their order."""
    from pathlib import Path

    from webdataset import WebDataset  # pyright: ignore[reportAttributeAccessIssue]

    shards = sorted(map(str, Path(folder).glob("*.tar")))
    return WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("png", "txt", "json")


def source_of_read_pairs() -> str:
    """`read_pairs` as a reader of the card may copy it: without its type, which needs another import, and comments."""
    lines = inspect.getsource(read_pairs).replace(" -> Any:", ":").rstrip().splitlines()
    return "\n".join(line.partition("  #")[0] for line in lines)
