"""How samples are cut into shards: base shards for those asked for, top-up shards for what the gates take."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """Samples 0 to `pairs` lie in the base shards, those up to `total` in top-up shards; the last may be short."""

    pairs: int
    size: int
    total: int

    @staticmethod
    def of(pairs: int, size: int, top_up: float) -> ShardLayout:
        """The layout of a recipe's ``pairs``, ``shard_size`` and ``top_up``."""
        return ShardLayout(pairs, size, max(pairs, ceil(pairs * top_up)))

    @property
    def base_shards(self) -> range:
        """Numbers of the shards that hold samples 0 to `pairs`."""
        return range(ceil(self.pairs / self.size))

    @property
    def top_up_shards(self) -> range:
        """Numbers of the shards that are made only where the base shards lost samples to the gates."""
        first = len(self.base_shards)
        return range(first, first + ceil((self.total - self.pairs) / self.size))

    def bounds(self, shard: int) -> tuple[int, int]:
        """First and last (exclusive) sample index of a shard.

        Raises:
            IndexError: no such shard.
        """
        base = len(self.base_shards)
        if 0 <= shard < base:
            return shard * self.size, min((shard + 1) * self.size, self.pairs)
        if shard in self.top_up_shards:
            start = self.pairs + (shard - base) * self.size
            return start, min(start + self.size, self.total)
        raise IndexError(f"shard {shard} is not in the plan: it has shards 0 to {self.top_up_shards.stop - 1}")

    def planned(self, shard: int) -> int:
        """How many samples a shard is given; none where there is no such shard."""
        if shard not in range(self.top_up_shards.stop):
            return 0
        start, stop = self.bounds(shard)
        return stop - start

    def shard_of(self, index: int) -> int:
        """The shard that holds a sample."""
        if index < self.pairs:
            return index // self.size
        return len(self.base_shards) + (index - self.pairs) // self.size
