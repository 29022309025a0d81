"""Rounds of topping up, derived from the store alone: what was rejected decides what the next round requests.

Committed shards never change, so every worker derives the same rounds.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq

from storage.layout import DatasetRef
from storage.objects import ObjectStore
from tasks.plan.deck.top_up import Round, next_round, parts
from tasks.plan.plan import Plan
from tasks.plan.spec import SampleSpec

_READERS = 8


class Rounds:
    """The rounds of one dataset version.

    Args:
        plan: its plan.
        store, ref: where its shards are.
    """

    def __init__(self, plan: Plan, store: ObjectStore, ref: DatasetRef) -> None:
        self.plan, self.store, self.ref = plan, store, ref
        self._known: list[Round] = []

    def __iter__(self) -> Iterator[Round]:
        """Round after round; ask for the next when every shard of the one before is committed.

        Raises:
            ObjectMissing: a shard of the round before is not committed.
        """
        number = 0
        while (found := self._round(number)).shards:
            yield found
            number += 1

    def specs(self, shard: int) -> list[SampleSpec]:
        """The samples of a top-up shard.

        Raises:
            IndexError: no round needs that shard.
            ObjectMissing: the shards that decide it are not all committed.
        """
        for found in self:
            for number, first, rows in parts(found, self.plan.layout.size):
                if number == shard:
                    return self.plan.specs(first, rows)
        raise IndexError(f"shard {shard} of {self.ref} is not needed: all samples before it were accepted")

    def given_up(self) -> int:
        """Samples that are still rejected when no round is left to replace them."""
        list(self)
        return sum(known.given_up for known in self._known)

    def _round(self, number: int) -> Round:
        """A round, worked out once; the last one has no shards."""
        if number == len(self._known):
            self._known.append(self._next())
        return self._known[number]

    def _next(self) -> Round:
        layout, sampler = self.plan.layout, self.plan.sampler
        if self._known:
            asked = parts(self._known[-1], layout.size)
        else:
            asked = ((shard, *self._base(shard)) for shard in layout.base_shards)
        with ThreadPoolExecutor(_READERS) as pool:
            rejected = np.concatenate(list(pool.map(lambda item: self._rejected(*item), asked)))
        return next_round(sampler, layout, rejected, self._known, self.plan.fingerprint)

    def _base(self, shard: int) -> tuple[int, np.ndarray]:
        start, stop = self.plan.bounds(shard)
        return start, self.plan.sampler.draw(start, stop)

    def _rejected(self, shard: int, first: int, rows: np.ndarray) -> np.ndarray:
        """Those of a shard's `rows` that no accepted pair holds."""
        index = pq.read_table(io.BytesIO(self.store.get(self.ref.index(shard))), columns=["index"])
        accepted = index.column("index").to_numpy() - first
        return np.delete(rows, accepted, axis=0)
