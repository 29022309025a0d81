"""The two phantom archives as dataset versions of their own: published once, then found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flows.context import Run
from models.phantom.archive import films, sampled
from models.phantom.film import Film
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import LABELS
from storage.layout import DatasetRef
from storage.tags import advance_latest
from tasks.publish.archive import publish_archive
from tasks.recipe.schema import ArchiveSection

_SHARD = 256


@dataclass(frozen=True, slots=True)
class LabelledFilm:
    """A film as an archive publishes it, its label vector named."""

    film: Film

    @property
    def image(self) -> np.ndarray:
        return self.film.image

    @property
    def labels(self) -> dict[str, int]:
        return {name: int(value) for name, value in zip(LABELS, self.film.labels, strict=True)}

    @property
    def findings_text(self) -> str:
        return self.film.findings_text

    @property
    def impression_text(self) -> str:
        return self.film.impression_text

    @property
    def defect(self) -> str | None:
        return self.film.defect


def ensure_archive(run: Run, hospital: str, section: ArchiveSection) -> DatasetRef:
    """Publish a random sample of one hospital's archive of 20,000 films, unless it is there."""
    ref = DatasetRef(f"hospital-{hospital}", f"v-{section.films}x{section.size}-{section.seed}")
    publish_archive(
        run.store,
        ref,
        _films(run, hospital, section),
        count=section.films,
        shard_size=_SHARD,
        description={"hospital": hospital, "seed": section.seed, "size": section.size},
    )
    advance_latest(run.store, ref)
    return ref


def _films(run: Run, hospital: str, section: ArchiveSection) -> Iterator[LabelledFilm]:
    indices = sampled(section.seed, section.films)
    for number, film in enumerate(films(HOSPITALS[hospital], section.seed, indices, section.size), 1):
        run.progress.stage(f"hospital {hospital.upper()}", number, section.films)
        yield LabelledFilm(film)
