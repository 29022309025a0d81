"""Texts that are equal within a batch: wrong negatives, or further positives.

Reports repeat, and single sentences of them more so. A loss that knows only the diagonal takes the text that describes
an image for a negative where it belongs to another row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from models.training.distributed import gather_rows

SameText = Literal["negative", "positive"]
"""What a row with an equal text is to another row: a negative as all others, or a positive."""


def positives_of(texts: Sequence[str], same_text: SameText, device: torch.device | None = None) -> Tensor | None:
    """Which rows of the whole batch have equal texts, for `models.vlp.losses.contrast`.

    Args:
        texts: those of this process's rows.
        same_text: ``negative`` knows the diagonal only.
        device: of the similarities.

    Returns:
        (n, n) bool with n rows over all processes, or None with ``negative``.
    """
    if same_text == "negative":
        return None
    own = torch.tensor([_number(text) for text in texts], dtype=torch.int64, device=device)
    everyone = gather_rows(own)
    return everyone[:, None] == everyone[None, :]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
