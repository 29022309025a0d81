"""What a frozen text tower gives of texts it has read before, so that each is read once in a training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

Read = Callable[[Tensor, int], tuple[Tensor, Tensor]]
_Key = tuple[int, bytes]


class TextCache:
    """Holds what texts come to, by their token ids; what was not used for longest makes room.

    On the CPU each text is read by itself and without padding, so that what it comes to does not depend on which
    others were held. On a GPU the texts of a batch that are not held are read together, and differ by rounding.

    Args:
        read: from token ids (b, l) and a number of layers to what stands for a text (b, d) and its tokens (b, l, d).
        pad: id of the token that fills a row.
        megabytes: the most that is held, in the memory of the machine.
    """

    def __init__(self, read: Read, pad: int, megabytes: float) -> None:
        self._read, self._pad, self._most = read, pad, int(megabytes * 1e6)
        self._held: OrderedDict[_Key, tuple[Tensor, Tensor]] = OrderedDict()
        self.bytes = 0

    def __call__(self, ids: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        """As `read` gives it, on the device of `ids`; tokens are zero where a row is filled up."""
        rows = ids.cpu()
        keys = [(layers, row.numpy().tobytes()) for row in rows]
        found = {key: self._held[key] for key in keys if key in self._held}
        wanted = {key: row for key, row in zip(keys, rows, strict=True) if key not in found}
        groups = [[key] for key in wanted] if ids.device.type == "cpu" else [list(wanted)] if wanted else []
        for group in groups:
            found.update(zip(group, self._read_rows([wanted[key] for key in group], layers, ids), strict=True))
        for key in dict.fromkeys(keys):
            self._hold(key, found[key])
        pooled = torch.stack([found[key][0] for key in keys]).to(ids.device)
        first = found[keys[0]][1]
        tokens = first.new_zeros((len(keys), ids.shape[1], first.shape[1]))
        for row, key in enumerate(keys):
            tokens[row, : len(found[key][1])] = found[key][1]
        return pooled, tokens.to(ids.device)

    def clear(self) -> None:
        """Forget every text."""
        self._held.clear()
        self.bytes = 0

    def _read_rows(self, rows: list[Tensor], layers: int, like: Tensor) -> list[tuple[Tensor, Tensor]]:
        lengths = [1 + int((row != self._pad).nonzero().max()) for row in rows]
        batch = torch.stack(rows)[:, : max(lengths)].to(like.device)
        pooled, tokens = (part.detach().cpu() for part in self._read(batch, layers))
        return [
            (pooled[at].clone(), tokens[at, :length].clone(memory_format=torch.contiguous_format))
            for at, length in enumerate(lengths)
        ]

    def _hold(self, key: _Key, value: tuple[Tensor, Tensor]) -> None:
        if key in self._held:
            self._held.move_to_end(key)
            return
        self._held[key] = value
        self.bytes += _bytes(value)
        while self.bytes > self._most:
            self.bytes -= _bytes(self._held.popitem(last=False)[1])


def _bytes(value: tuple[Tensor, Tensor]) -> int:
    return sum(part.nbytes for part in value)
