"""One life of a generator: the generate stage without Prefect, in a process that is there to be killed."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.retries.standard import ExponentialBackoff

from storage.errors import StoreError
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.s3 import S3Store
from storage.tags import advance_latest
from storage.versions import VersionPlace
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe
from tasks.recipe.schema import Recipe
from tests.making import Making

FINISH = -1
"""The stage after the last shard, as a shard number."""
_USUAL_DELAY = ExponentialBackoff.delay_amount


def live(
    recipe: Recipe, store: ObjectStore, ref: DatasetRef, order: Sequence[int], finish: bool, out: Connection
) -> None:
    """Make the shards of `order` and finish the version, telling `out` of every step and every request.

    Events: ``("begin", shard)``, ``("request", method, path)`` before a request is sent (of a folder, before an
    object is written), ``("work", shard, stage, samples)``, ``("stage", shard, stage)`` after each stage,
    ``("end", shard)``, ``("failed", kind, message)``.
    """
    if isinstance(store, S3Store):
        store.client.meta.events.register("before-send.s3", lambda request, **_: _tell_request(out, request))
    elif isinstance(store, LocalStore):
        store = TellingStore(store.folder, out)
    try:
        store.check()
        mark = fingerprint(recipe)
        open_version(VersionPlace(store, ref), dump_recipe(recipe), mark)
        making = Making(recipe, store, ref)
        entries = []
        for shard in order:
            out.send(("begin", shard))
            for stage in making.stages:
                stage.run(shard, lambda name, done, _, shard=shard: out.send(("work", shard, name, done)))
                out.send(("stage", shard, stage.name))
            entries.append(making.run(shard))
            out.send(("end", shard))
        if finish:
            out.send(("begin", FINISH))
            making.finish(entries)
            advance_latest(store, ref)
            out.send(("end", FINISH))
    except StoreError as error:
        out.send(("failed", type(error).__name__, str(error)))
        raise SystemExit(1) from error


class TellingStore(LocalStore):
    """A folder that tells `out` of every object before it is written."""

    def __init__(self, folder: Path, out: Connection) -> None:
        super().__init__(folder)
        self._out = out

    def put(self, key: str, data: bytes | Path, **options: Any) -> str:
        self._out.send(("request", "PUT", f"/{key}"))
        return super().put(key, data, **options)


class HastyStore(S3Store):
    """A bucket whose client waits a tenth of botocore's time before it tries a request again."""

    def _connect(self) -> Any:
        ExponentialBackoff.delay_amount = _tenth
        return super()._connect()


def _tenth(self: ExponentialBackoff, context: Any) -> float:
    return _USUAL_DELAY(self, context) / 10


def _tell_request(out: Connection, request: Any) -> None:
    out.send(("request", request.method, urlsplit(request.url).path))
