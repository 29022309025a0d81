"""The two phantom archives as dataset versions of their own: published once, then found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from flows.context import Run
from models.phantom.archive import ARCHIVE_SIZE, films
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import LABELS
from storage.versions import DatasetRef
from tasks.publish.archive import ArchiveFilm, publish_archive
from tasks.recipe.schema import ArchiveSection

_SHARD = 256


def ensure_archive(run: Run, hospital: str, section: ArchiveSection) -> DatasetRef:
    """Publish a random sample of one hospital's archive of 20,000 films, unless it is there.

    Raises:
        ValueError: more films are asked for than the archive holds.
    """
    if section.films > ARCHIVE_SIZE:
        raise ValueError(f"archive_{hospital}.films is {section.films}, but the archive holds {ARCHIVE_SIZE} films")
    ref = DatasetRef(f"hospital-{hospital}", f"v-{section.films}x{section.size}-{section.seed}")
    publish_archive(run.store, ref, _progress(run, hospital, section), count=section.films, shard_size=_SHARD)
    return ref


def _progress(run: Run, hospital: str, section: ArchiveSection) -> Iterator[ArchiveFilm]:
    rng = np.random.default_rng(section.seed)
    indices = np.sort(rng.choice(ARCHIVE_SIZE, section.films, replace=False)).tolist()
    for number, film in enumerate(films(HOSPITALS[hospital], section.seed, indices, section.size), 1):
        run.progress.stage(f"hospital {hospital.upper()}", number, section.films)
        yield film
