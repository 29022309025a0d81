"""Name the films that a generator was trained on, or that it never saw."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from storage.objects import ObjectStore

_PHANTOM = re.compile(r"phantom:(?P<hospital>\w+)/(?P<seed>\d+)/(?:(?P<start>\d+)-)?(?P<stop>\d+)")
_CHUNK = 512


class ArchiveUnknown(ValueError):
    """An archive is named in a way that leads nowhere; the message shows the ways there are."""


def archive_films(source: str, store: ObjectStore | None = None, workers: int = 1) -> Iterator[tuple[str, np.ndarray]]:
    """Names and films (H, W) uint8 of an archive.

    Args:
        source: ``phantom:a/7/20000`` renders the first 20,000 films of hospital A's archive of seed 7, and
            ``phantom:a/7/20000-20400`` the next 400; ``NAME@VERSION`` reads a published dataset.
        store: where datasets are.
        workers: processes that render.

    Raises:
        ArchiveUnknown: `source` is neither, or names an unknown hospital or no film.
        DatasetMissing: the store has no such dataset.
    """
    found = _PHANTOM.fullmatch(source)
    if found:
        return _rendered(found["hospital"], int(found["seed"]), int(found["start"] or 0), int(found["stop"]), workers)
    if store is None or "@" not in source or source.startswith("phantom:"):
        raise ArchiveUnknown(
            f"{source!r} names no archive: say NAME@VERSION for a dataset in the store, phantom:a/7/20000 for the "
            "first films of a phantom hospital, or phantom:a/7/20000-20400 for later ones"
        )
    return _stored(source, store)


def _rendered(name: str, seed: int, start: int, stop: int, workers: int) -> Iterator[tuple[str, np.ndarray]]:
    from tasks.corpora.phantom import HOSPITAL_NAMES, rendered

    if name not in HOSPITAL_NAMES or start >= stop:
        raise ArchiveUnknown(
            f"phantom hospitals are {', '.join(HOSPITAL_NAMES)}, and films {start} to {stop} must be some"
        )

    def films() -> Iterator[tuple[str, np.ndarray]]:
        for at in range(start, stop, _CHUNK):
            rows = range(at, min(at + _CHUNK, stop))
            images = rendered(name, seed, rows, workers)
            yield from ((f"phantom-{name}-{seed}-{row}", image) for row, image in zip(rows, images, strict=True))

    return films()


def _stored(source: str, store: ObjectStore) -> Iterator[tuple[str, np.ndarray]]:
    from storage.png import decode_png
    from storage.tags import resolve
    from storage.versions import Version

    version = Version.open(store, resolve(store, source))
    return ((sample.key, decode_png(sample.png)) for sample in version.samples())
