"""Make shards and versions as the flows do, without Prefect: for tests that need real ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from models.contracts import ProgressCallback
from storage.layout import DatasetRef
from storage.ledger import committed_shard
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.records import Manifest, ShardEntry
from storage.versions import VersionPlace
from tasks.engine.stage import Stage
from tasks.generate.generation import Generation
from tasks.generate.image_stage import ImageStage
from tasks.generate.report_stage import ReportStage
from tasks.generate.stages import cards_of
from tasks.publish.finish import finish_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import load_recipe
from tasks.recipe.schema import Recipe

PROFILES = Path(__file__).parent / "profiles"


def fast_recipe(*changes: str) -> Recipe:
    """The fast profile: template reports and rendered films."""
    return load_recipe(str(PROFILES / "fast.yaml"), list(changes), PROFILES)


class Making:
    """A version in the making, with both stages in this process.

    Args:
        recipe: its recipe.
        store: where it is made; a folder becomes a store.
        ref: the version.
    """

    def __init__(self, recipe: Recipe, store: ObjectStore | Path, ref: DatasetRef) -> None:
        self.store = LocalStore(store) if isinstance(store, Path) else store
        self.generation = Generation(recipe, fingerprint(recipe), self.store, ref)
        self.reports, self.images = ReportStage(self.generation), ImageStage(self.generation)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Both, in their order."""
        return self.reports, self.images

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> ShardEntry:
        """Make one shard, or what it lacks."""
        for stage in self.stages:
            stage.run(shard, on_progress)
        entry = committed_shard(self.store, self.generation.ref, shard)
        assert entry is not None, shard
        return entry

    def run_all(self) -> list[ShardEntry]:
        """Make every base shard and every round of topping up."""
        shards = [*self.generation.plan.base_shards]
        entries = [self.run(shard) for shard in shards]
        for found in self.generation.rounds:
            entries += [self.run(shard) for shard in found.shards]
        return entries

    def finish(self, entries: Iterable[ShardEntry]) -> Manifest:
        """Publish the version."""
        generation = self.generation
        return finish_version(
            VersionPlace(self.store, generation.ref), generation.recipe, list(entries), cards_of(generation)
        )
