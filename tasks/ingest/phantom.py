"""A phantom hospital as a source: a random sample of its archive becomes a dataset version, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.contracts import ProgressCallback
from models.phantom.archive import films, sampled
from models.phantom.film import Film
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import LABELS
from storage.layout import DatasetRef
from storage.masks import encode_mask
from storage.objects import ObjectStore
from storage.records import Box, Mask
from storage.tags import advance_latest
from storage.versions import VersionPlace
from tasks.publish.archive import publish_archive

_SHARD = 256


@dataclass(frozen=True, slots=True)
class LabelledFilm:
    """A film as an archive publishes it, its label vector named.

    A spoilt film has no boxes and no masks, as its defect may have moved what they show.
    """

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

    @property
    def view(self) -> str:
        return self.film.view

    @property
    def boxes(self) -> list[Box]:
        if self.film.defect:
            return []
        return [
            Box(finding=finding, x=left, y=top, width=right - left, height=bottom - top)
            for finding, places in self.film.boxes.items()
            for left, top, right, bottom in places
        ]

    @property
    def masks(self) -> list[Mask]:
        areas = {} if self.film.defect else self.film.masks
        return [encode_mask(finding, area) for finding, area in areas.items() if area.any()]


@dataclass(frozen=True, slots=True)
class PhantomSample:
    """A random sample of a hospital's 20,000 films: how many, at which size, drawn by which seed."""

    hospital: str
    films: int
    size: int
    seed: int

    @property
    def ref(self) -> DatasetRef:
        """The version that it becomes."""
        return DatasetRef(f"hospital-{self.hospital}", f"v-{self.films}x{self.size}-{self.seed}")


def ensure_phantom(
    store: ObjectStore, sample: PhantomSample, on_progress: ProgressCallback = lambda *_: None
) -> DatasetRef:
    """Publish a sample of a phantom hospital unless it is there.

    Args:
        store: where to.
        sample: which films.
        on_progress: called with the hospital, and how many of how many films are drawn.

    Raises:
        RecipeChanged: a version of its name was begun with other films.
    """
    publish_archive(
        VersionPlace(store, sample.ref),
        _films(sample, on_progress),
        count=sample.films,
        shard_size=_SHARD,
        description={"hospital": sample.hospital, "seed": sample.seed, "size": sample.size},
    )
    advance_latest(store, sample.ref)
    return sample.ref


def _films(sample: PhantomSample, on_progress: ProgressCallback) -> Iterator[LabelledFilm]:
    indices = sampled(sample.seed, sample.films)
    drawn = films(HOSPITALS[sample.hospital], sample.seed, indices, sample.size, masks=True)
    for number, film in enumerate(drawn, 1):
        on_progress(f"hospital {sample.hospital.upper()}", number, sample.films)
        yield LabelledFilm(film)
