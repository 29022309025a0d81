"""What the stages of one dataset version share: its recipe, its store, and the plan, made once per process."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from storage.layout import DatasetRef
from storage.objects import ObjectStore
from tasks.generate.rounds import Rounds
from tasks.plan.bank import Bank, label_set_of
from tasks.plan.plan import Plan, make_plan
from tasks.plan.seeds import seed_for
from tasks.plan.spec import LEFT_OUT, SampleSpec
from tasks.recipe.schema import Recipe


class Generation:
    """One dataset version in the making. It is pickled without its plan, which whoever unpickles it makes anew.

    Args:
        recipe: the whole recipe.
        fingerprint: its fingerprint, from which every seed follows.
        store: the object store. One that has no keys of its own (any but the managed one) takes them from the
            environment where it is used.
        ref: the dataset version to publish into.
        plan: the recipe's plan, where it is made already.
    """

    def __init__(
        self, recipe: Recipe, fingerprint: str, store: ObjectStore, ref: DatasetRef, plan: Plan | None = None
    ) -> None:
        self.recipe, self.fingerprint, self.store, self.ref = recipe, fingerprint, store, ref
        self._plan, self._rounds = plan, None

    def __reduce__(self) -> tuple[type[Generation], tuple[Any, ...]]:
        return Generation, (self.recipe, self.fingerprint, self.store, self.ref)

    @property
    def plan(self) -> Plan:
        """The plan, made on first use."""
        if self._plan is None:
            self._plan = make_plan(self.recipe, self.fingerprint)
        return self._plan

    @property
    def bank(self) -> Bank:
        """The entities that the plan deals, and what their labels are of."""
        return Bank(self.plan.entities, label_set_of(self.recipe.plan))

    @property
    def rounds(self) -> Rounds:
        """The rounds of topping up."""
        if self._rounds is None:
            self._rounds = Rounds(self.plan, self.store, self.ref)
        return self._rounds

    def shards(self, committed: Collection[int]) -> list[int]:
        """The base shards, and those of every round that the `committed` ones decide."""
        found = [*self.plan.base_shards]
        if not set(found) <= set(committed):
            return found
        for each in self.rounds:
            found += each.shards
            if not set(each.shards) <= set(committed):
                break
        return found

    def is_top_up(self, shard: int) -> bool:
        """Whether a shard replaces rejected samples."""
        return shard not in self.plan.base_shards

    def specs(self, shard: int) -> list[SampleSpec]:
        """The samples of a shard.

        Raises:
            IndexError: no round needs that shard.
            ObjectMissing: the shards that decide a top-up shard are not all committed.
        """
        return self.rounds.specs(shard) if self.is_top_up(shard) else self.plan.shard(shard)

    def counts(self, shard: int, planned: int) -> dict[str, int]:
        """Counts from the plan of a shard of `planned` samples, for its entry."""
        left = 0 if self.is_top_up(shard) else self.plan.left_out(*self.plan.bounds(shard))
        return {"planned": planned, **({LEFT_OUT: left} if left else {})}

    def seed(self, sample_id: str, stage: str, attempt: int) -> int:
        """The seed of one attempt at one sample in one stage."""
        return seed_for(self.fingerprint, sample_id, stage, attempt)
