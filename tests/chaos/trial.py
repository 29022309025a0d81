"""Run generators, disturb them, and look at what they left behind."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.layout import DatasetRef, shard_of_index, tag_key
from storage.local import LocalStore
from storage.manifest import objects
from storage.objects import ObjectStore
from storage.records import Manifest, PairRow
from storage.tags import LATEST
from storage.versions import Version, open_dataset
from tasks.plan.plan import make_plan
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import load_recipe
from tasks.recipe.schema import Recipe
from tasks.store.collect import collect, find_garbage
from tests.chaos.life import FINISH, live
from tests.storage.agreement import check_objects

SHARDS = 24
REF = DatasetRef("chaos-cxr", "v1")
Event = tuple[Any, ...]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "tests.chaos.warm"])
"""Processes begin as forks of one that has imported what they need."""


def recipe_of(*changes: str) -> Recipe:
    """24 shards of four small pairs, without a neural net."""
    small = [
        "shard_size=4",
        f"pairs={4 * SHARDS}",
        "top_up=1",
        "images.batch=2",
        "images.generator.options={size: 64}",
    ]
    return load_recipe(str(Path(__file__).parents[1] / "profiles" / "fast.yaml"), [*small, *changes], Path())


@dataclass(frozen=True, slots=True)
class Kill:
    """When to kill -9: `delay` seconds after event number `after` of `shard`, or after its last if it has fewer.

    `at` is another moment: the first event that is the same, but that the last of its parts need only end so.
    """

    shard: int
    after: int
    delay: float
    at: Event = ()

    def comes(self, shard: int | None, since: int, event: Event) -> bool:
        """Whether it is time, after `event`, which is number `since` of `shard`."""
        if self.at:
            return event[:-1] == self.at[:-1] and str(event[-1]).endswith(str(self.at[-1]))
        return shard == self.shard and (since >= self.after or event[0] == "end")


def random_kills(seed: int, number: int) -> list[Kill]:
    """Points spread at random over the shards and the end of a run, in their order."""
    rng = random.Random(seed)
    shards = sorted(rng.choices(range(SHARDS + 1), k=number))
    return [
        Kill(FINISH, 0, rng.uniform(0, 0.1)) if at == SHARDS else Kill(at, rng.randint(0, 12), rng.uniform(0, 0.01))
        for at in shards
    ]


def kills_in_writes(ref: DatasetRef, shard: int, seed: int) -> list[Kill]:
    """One for every object that a shard writes, in mid-write or just before or after it."""
    rng = random.Random(seed)
    written = (ref.reports(shard), ref.report_entry(shard), ref.rejects(shard), ref.pairs(shard), ref.index(shard))
    return [Kill(shard, 0, rng.uniform(0, 0.004), ("request", "PUT", f"/{key}")) for key in written]


@dataclass(slots=True)
class Life:
    """A generator process: what it told, and how it ended."""

    recipe: Recipe
    store: ObjectStore
    order: Sequence[int] = tuple(range(SHARDS))
    finish: bool = True
    events: list[Event] = field(default_factory=list)
    _process: Any = None
    _pipe: Any = None

    def start(self) -> Life:
        """Begin, in a process of its own."""
        self._pipe, out = CONTEXT.Pipe(duplex=False)
        arguments = (self.recipe, self.store, REF, tuple(self.order), self.finish, out)
        self._process = CONTEXT.Process(target=live, args=arguments, daemon=True)
        self._process.start()
        out.close()
        return self

    def wait(self, kill: Kill | None = None, on_event: Callable[[Event], None] | None = None) -> Life:
        """Follow it to its end, which `kill` may bring about."""
        shard, since = None, 0
        try:
            while self._pipe.poll(120):
                event = self._pipe.recv()
                self.events.append(event)
                if on_event is not None:
                    on_event(event)
                shard, since = (event[1], 0) if event[0] == "begin" else (shard, since + 1)
                if kill and kill.comes(shard, since, event):
                    time.sleep(kill.delay)
                    self._process.kill()
                    kill = None
        except EOFError:
            pass
        self._process.join(30)
        return self

    @property
    def code(self) -> int:
        """Exit code; -9 when it was killed."""
        return self._process.exitcode

    @property
    def failure(self) -> str:
        """What it said when it gave up."""
        return next((f"{event[1]}: {event[2]}" for event in self.events if event[0] == "failed"), "")

    def worked(self) -> set[int]:
        """Shards for which it made anything."""
        return {event[1] for event in self.events if event[0] == "work"}

    def ended(self) -> set[int]:
        """Shards that it saw committed."""
        return {event[1] for event in self.events if event[0] == "end"}


def live_on(
    recipe: Recipe,
    store: ObjectStore,
    kills: Sequence[Kill | None] = (None,),
    on_event: Callable[[Event], None] | None = None,
    lives: int = 30,
) -> list[Life]:
    """Start a generator again and again until one ends well."""
    told: list[Life] = []
    for number in range(lives):
        kill = kills[number] if number < len(kills) else None
        told.append(Life(recipe, store).start().wait(kill, on_event))
        if told[-1].code == 0:
            return told
    raise AssertionError(f"{lives} lives were not enough; the last one: {told[-1].failure}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run left behind, compared with what it should have; all but the first two should be 0.

    Args:
        objects: how many there are.
        swept: things that `synth gc` removed.
        differing: tars, report tables and reject tables that an undisturbed run has not, or has otherwise.
        lost: planned samples that are neither accepted nor rejected.
        twice: samples that are there more than once.
        orphans: objects that nothing reaches, after the sweep.
    """

    objects: int
    swept: int
    differing: int
    lost: int
    twice: int
    orphans: int

    @property
    def faults(self) -> int:
        """How much is wrong."""
        return self.differing + self.lost + self.twice + self.orphans


def content(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of every tar, report table and reject table; an index also tells how long its shard took."""
    return {entry.key: entry.sha256 for entry in objects(manifest) if shard_of_index(entry.key) is None}


def rows(store: ObjectStore) -> list[PairRow]:
    """The rows of all pairs, from the tars."""
    samples = Version.open(store, REF).samples()
    return [PairRow.model_validate(sample.json) for sample in samples]


def judge(recipe: Recipe, store: ObjectStore, undisturbed: dict[str, str]) -> Verdict:
    """Sweep, and read everything back."""
    swept = collect(find_garbage(store, older=timedelta(0)))
    manifest = open_dataset(store, REF)
    check_objects(store, REF, manifest, deep=True)
    mine = content(manifest)
    found = [row.sample_id for row in [*rows(store), *Version(store, REF, manifest).rejects()]]
    plan = make_plan(recipe, fingerprint(recipe))
    planned = {sample.sample_id for sample in plan.samples(0, plan.pairs)}
    return Verdict(
        objects=len(list(store.list())),
        swept=swept,
        differing=sum(mine.get(key) != undisturbed.get(key) for key in mine.keys() | undisturbed.keys()),
        lost=len(planned - set(found)),
        twice=len(found) - len(set(found)) + len(set(found) - planned),
        orphans=len(orphans(store, manifest)),
    )


def orphans(store: ObjectStore, manifest: Manifest) -> list[str]:
    """What the manifest does not reach, and what is neither card nor tag; in a folder also unfinished writes."""
    reached = {REF.key(entry.key) for entry in objects(manifest)} | {REF.recipe, REF.manifest}
    reached |= {REF.report_entry(entry.shard) for entry in manifest.shards}
    reached |= {REF.model_card(stage) for stage in ("reports", "images")}
    reached |= {REF.card(name) for name in ("README.md", "report.html", "croissant.json", "records.parquet")}
    left = {info.key for info in store.list()} - reached - {tag_key(REF.name, LATEST, 1)}
    drafts = (store.folder / ".tmp").glob("*") if isinstance(store, LocalStore) else ()
    return sorted(left) + [draft.name for draft in drafts]
