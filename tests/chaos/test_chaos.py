"""Whatever is killed, cut, refused, slow, doubled or full: the same bytes, nothing lost, nothing twice."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from storage import server
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.s3 import S3Store
from storage.server import StoreAddress
from tests.chaos.life import HastyStore
from tests.chaos.proxy import Proxy
from tests.chaos.trial import REF, SHARDS, Event, Kill, Life, kills_in_writes, live_on, random_kills, recipe_of
from tests.counts import FULL

pytestmark = [pytest.mark.chaos, pytest.mark.server, pytest.mark.timeout(900)]
Conclude = Callable[..., None]


KILLS = 20 if FULL else 8


@pytest.mark.parametrize("seed", [2024])
def test_a_generator_is_killed_at_many_points(store: ObjectStore, conclude: Conclude, seed: int) -> None:
    kills = random_kills(seed, KILLS)
    lives = live_on(recipe_of(), store, kills)
    assert [life.code for life in lives] == [-signal.SIGKILL] * KILLS + [0]
    done: set[int] = set()
    for life in lives:
        assert not life.worked() & done, "a committed shard was made again"
        assert len(life.worked() - life.ended()) <= 1, "more than one shard of work was lost to a kill"
        done |= life.ended()
    conclude(f"generator killed ({type(store).__name__})", store, lives, KILLS)


def test_a_generator_is_killed_between_its_two_stages(store: ObjectStore, conclude: Conclude) -> None:
    shards = (0, 7, SHARDS - 1)
    lives = live_on(recipe_of(), store, [Kill(shard, 0, 0.0, ("stage", shard, "reports")) for shard in shards])
    assert [life.code for life in lives] == [-signal.SIGKILL] * 3 + [0]
    for shard, heir in zip(shards, lives[1:], strict=True):
        assert ("work", shard, "reports") not in {event[:3] for event in heir.events}, "its reports were written again"
        assert ("stage", shard, "images") in heir.events
    conclude(f"killed between stages ({type(store).__name__})", store, lives, 3)


@pytest.mark.parametrize("seed", range(2))
def test_a_generator_is_killed_in_every_write_of_a_shard(store: ObjectStore, conclude: Conclude, seed: int) -> None:
    kills = [kill for shard in (0, 5) for kill in kills_in_writes(REF, shard, seed)]
    lives = live_on(recipe_of(), store, kills)
    killed = [life.code for life in lives].count(-signal.SIGKILL)
    assert killed >= 6, "a write that had ended before the kill came is not written again"
    conclude(f"killed in writes ({type(store).__name__})", store, lives, killed)


def test_the_store_is_killed_and_restarted(tmp_path: Path, conclude: Conclude) -> None:
    address = server.start(tmp_path)
    killed: list[int] = []

    def on_event(event: Event) -> None:
        nonlocal address
        if event[0] == "work" and event[1] in (4, 11, 18) and event[1] not in killed:
            killed.append(event[1])
            psutil.Process(address.pid).kill()
            psutil.Process(address.pid).wait(60)
            again = server.start(tmp_path)
            assert again.endpoint == address.endpoint
            address = again

    try:
        store = address.store()
        lives = live_on(recipe_of(), store, on_event=on_event)
        assert len(killed) == 3
        conclude("store killed and restarted", store, lives, len(killed))
    finally:
        server.stop(tmp_path)


FAULTS = {
    "connections cut": {"cut in mid-PUT": 0.08, "answer lost": 0.04, "cut in mid-GET": 0.06},
    "500s": {"500 before": 0.05, "500 after": 0.05},
    "timeouts": {"timeout before": 0.02, "timeout after": 0.02},
    "slow answers": {"slow": 0.3},
}


@pytest.mark.parametrize("kind", FAULTS)
def test_the_network_fails(managed: StoreAddress, s3_store: S3Store, conclude: Conclude, kind: str) -> None:
    port = urlsplit(managed.endpoint).port
    assert port is not None
    with Proxy(port, FAULTS[kind], seed=7, hang=1.3) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        connection = replace(s3_store.connection, endpoint=address, region=None, read_timeout=1)
        through = HastyStore(managed.bucket, s3_store.prefix, connection)
        lives = live_on(recipe_of(), through)
        done = proxy.done
    for trouble in FAULTS[kind]:
        assert done[trouble] >= 3, done
    conclude(kind, s3_store, lives, sum(done.values()) - done["none"])


def test_two_runs_of_one_recipe_race(store: ObjectStore, conclude: Conclude) -> None:
    lives = [Life(recipe_of(), store).start() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Life.wait, lives))
    assert [life.code for life in lives] == [0, 0], [life.failure for life in lives]
    conclude(f"two runs racing ({type(store).__name__})", store, lives, 1)


@pytest.fixture
def small_disk(mount_disk: Callable[[str], Path]) -> Iterator[Path]:
    """A folder on a disk of its own, of 64 MiB."""
    disk = mount_disk("64m")
    yield disk
    server.stop(disk, timeout=5)


@pytest.mark.parametrize("kind", ["LocalStore", "S3Store"])
def test_the_disk_is_full(small_disk: Path, conclude: Conclude, kind: str) -> None:
    def opened() -> ObjectStore:
        return (
            LocalStore(small_disk / "objects") if kind == "LocalStore" else server.start(small_disk).store(attempts=2)
        )

    store = opened()
    ballast = small_disk / "ballast"

    def on_event(event: Event) -> None:
        if event == ("end", SHARDS // 2):
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(4096)):
                    pass

    first = Life(recipe_of(), store).start().wait(on_event=on_event)
    assert first.code == 1
    assert first.failure.startswith("StoreFull")
    ballast.unlink()
    if kind == "S3Store":
        server.stop(small_disk, timeout=2)  # as the run that started it does; until then it may write no more
    store = opened()
    lives = [first, *live_on(recipe_of(), store)]
    conclude(f"disk full ({kind})", store, lives, 1)
