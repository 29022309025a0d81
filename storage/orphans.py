"""What killed writers leave outside every dataset: probes of `ObjectStore.check`, and unfinished writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.s3 import S3Store


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing to remove: what it is called, its size in bytes where that is known, and how it goes."""

    key: str
    why: str
    size: int
    remove: Callable[[], Any]


def leftovers(store: ObjectStore, older: timedelta) -> list[Leftover]:
    """Probes and unfinished writes that were begun more than `older` ago; what is younger may be in use."""
    before = datetime.now(UTC) - older
    if isinstance(store, S3Store):
        return _probes(store, before)
    if isinstance(store, LocalStore):
        drafts = [*store.folder.glob("probe-*"), *(store.folder / ".tmp").glob("*")]
        return [_file(path, store.folder) for path in sorted(drafts) if _changed(path) <= before]
    return []


def _probes(store: S3Store, before: datetime) -> list[Leftover]:
    found: list[Leftover] = []
    for info in store.list("probe-"):
        with store.explained(info.key):
            key = f"{store.prefix}/{info.key}" if store.prefix else info.key
            made = store.client.head_object(Bucket=store.bucket, Key=key)["LastModified"]
        if made <= before:
            found.append(
                Leftover(info.key, "a probe of a killed start", info.size, lambda key=info.key: store.delete(key))
            )
    return found


def _file(path: Path, folder: Path) -> Leftover:
    why = "an unfinished write" if path.parent.name == ".tmp" else "a probe of a killed start"
    return Leftover(
        path.relative_to(folder).as_posix(), why, path.stat().st_size, lambda: path.unlink(missing_ok=True)
    )


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
