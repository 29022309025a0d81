"""One life of a generator: the generate stage without Prefect, in a process that is there to be killed."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from storage.errors import StoreError
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.s3 import S3Store
from storage.tags import advance_latest
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe
from tasks.recipe.schema import Recipe
from tests.making import Making

FINISH = -1
"""The stage after the last shard, as a shard number."""


def live(
    recipe: Recipe, store: ObjectStore, ref: DatasetRef, order: Sequence[int], finish: bool, out: Connection
) -> None:
    """Make the shards of `order` and finish the version, telling `out` of every step and every request.

    Events: ``("begin", shard)``, ``("request", method, path)``, ``("work", shard, stage, samples)``,
    ``("end", shard)``, ``("failed", kind, message)``.
    """
    if isinstance(store, S3Store):
        store.client.meta.events.register("before-send.s3", lambda request, **_: _tell_request(out, request))
    try:
        store.check()
        mark = fingerprint(recipe)
        open_version(store, ref, dump_recipe(recipe), mark)
        making = Making(recipe, store, ref)
        entries = []
        for shard in order:
            out.send(("begin", shard))
            entries.append(
                making.run(shard, lambda stage, done, _, shard=shard: out.send(("work", shard, stage, done)))
            )
            out.send(("end", shard))
        if finish:
            out.send(("begin", FINISH))
            making.finish(entries)
            advance_latest(store, ref)
            out.send(("end", FINISH))
    except StoreError as error:
        out.send(("failed", type(error).__name__, str(error)))
        raise SystemExit(1) from error


def _tell_request(out: Connection, request: Any) -> None:
    out.send(("request", request.method, urlsplit(request.url).path))
