"""Index the films that a generator was trained on, to find whether a new film is a copy of one of them.

Candidates are found by embedding and by thumbnail, each is aligned with the film, and what counts
is how far the fine structure agrees (ribs, vessels, grain): all chest films agree in the coarse. Nearest
neighbours in pixels and in features after Carlini et al. 2023 (arXiv 2301.13188, section 4.2), who compare small
pictures as they lie; the alignment is ours, since a copy may be shifted, turned or mirrored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.contracts import Encoder, ModelNotFound
from models.encoders.image import unit
from models.gates.alignment import SIDE, aligned, fine, shifts, standard

THUMBNAIL = 16
LOOKED_UP, LAID_OVER = 24, 4
"""Films taken from each of two look-ups, and how many of them are laid over the new film."""
_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What of the archive is nearest to one film.

    Args:
        by_embedding, cosine: the film with the nearest embedding, standardised over the archive.
        by_pixels, correlation: the film whose fine structure agrees most, -1 to 1, after alignment.
        mirrored: it agrees with the mirrored film.
    """

    by_embedding: str
    cosine: float
    by_pixels: str
    correlation: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class TrainingSetIndex:
    """A training archive of n films, searchable for the films nearest to a new one.

    Args:
        names: of the films.
        films: (n, SIDE, SIDE) uint8.
        embeddings: (n, d) float16, standardised and of unit length.
        centre, spread: (d,) float32, what the embeddings were standardised with.
        thumbnails: (n, THUMBNAIL²) float16, thumbnails less `mean_image`, of unit length.
        mean_image: (THUMBNAIL²,) float32, the mean thumbnail.
        encoder: revision of the encoder.
        limit: correlation from which a film counts as a copy.
        figures: what planted copies showed about the limit; see `tasks.privacy`.
    """

    names: tuple[str, ...]
    films: np.ndarray
    embeddings: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    thumbnails: np.ndarray
    mean_image: np.ndarray
    encoder: str
    limit: float = 1.0
    figures: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def with_limit(self, limit: float, figures: dict[str, Any] | None = None) -> TrainingSetIndex:
        """The same archive with another limit."""
        return replace(self, limit=limit, figures=figures or {})

    def nearest(self, images: Sequence[np.ndarray], encoder: Encoder) -> list[Neighbour]:
        """The nearest film of the archive to each image (H, W) uint8.

        Raises:
            ValueError: `encoder` is not the one that the archive was embedded with.
        """
        if encoder.revision != self.encoder:
            raise ValueError(
                f"the archive was embedded with {self.encoder}, not with {encoder.revision}: make it anew"
            )
        if not len(images):
            return []
        ways = [list(images), [np.ascontiguousarray(image[:, ::-1]) for image in images]]
        found = [self._looked_up(way, encoder) for way in ways]
        return [
            self._neighbour([way[at] for way in ways], [f[0][at] for f in found], found[0][1][at])
            for at in range(len(images))
        ]

    def _looked_up(self, images: Sequence[np.ndarray], encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
        """Candidates (m, 2 * LOOKED_UP), the nearest by embedding first, and that one's cosine (m,)."""
        embedded = unit((encoder.embed(images) - self.centre) / self.spread)
        rows, cosines = _top(embedded, self.embeddings)
        return np.concatenate([rows, _top(_thumbnails(images, self.mean_image), self.thumbnails)[0]], 1), cosines[:, 0]

    def _neighbour(self, ways: list[np.ndarray], rows: list[np.ndarray], cosine: float) -> Neighbour:
        best = (-1.0, 0, False)
        for mirrored, (image, candidates) in enumerate(zip(ways, rows, strict=True)):
            film = standard(image)
            unique = np.unique(candidates)
            olds = [standard(self.films[row]) for row in unique]
            peaks, moves = shifts(fine(film), np.stack([fine(old) for old in olds]))
            for at in np.argsort(-peaks)[:LAID_OVER]:
                best = max(best, (aligned(film, olds[at], moves[at]), int(unique[at]), bool(mirrored)))
        return Neighbour(self.names[rows[0][0]], float(cosine), self.names[best[1]], best[0], best[2])


def build_index(films: Iterable[tuple[str, np.ndarray]], encoder: Encoder, batch: int = 64) -> TrainingSetIndex:
    """Index an archive, read once: named films (H, W) uint8 in any number.

    Raises:
        ValueError: there are no films.
    """
    names: list[str] = []
    small, coarse, embedded = [], [], []
    for part in _batches(films, batch):
        names += [name for name, _ in part]
        images = [image for _, image in part]
        small.append(np.stack([_shrunk(image, SIDE) for image in images]).round().astype(np.uint8))
        coarse.append(_thumbnails(images))
        embedded.append(encoder.embed(images))
    if not names:
        raise ValueError("an archive without films cannot be indexed")
    embeddings, thumbnails = np.concatenate(embedded), np.concatenate(coarse)
    centre, spread, mean_image = embeddings.mean(0), np.maximum(embeddings.std(0), 1e-6), thumbnails.mean(0)
    return TrainingSetIndex(
        names=tuple(names),
        films=np.concatenate(small),
        embeddings=unit((embeddings - centre) / spread).astype(np.float16),
        centre=centre.astype(np.float32),
        spread=spread.astype(np.float32),
        thumbnails=unit(thumbnails - mean_image).astype(np.float16),
        mean_image=mean_image.astype(np.float32),
        encoder=encoder.revision,
    )


_ARRAYS = {
    "films": "films", "embeddings": "embeddings", "centre": "centre", "spread": "spread", "thumbnails": "thumbs",
    "mean_image": "typical",
}  # fmt: skip
"""The arrays of an index by their names in its file, which are those of its first format."""


def save_index(index: TrainingSetIndex, path: Path) -> None:
    """Write one safetensors file. It holds the archive's films in small: guard it as the archive itself."""
    from safetensors.numpy import save_file

    facts = {"encoder": index.encoder, "limit": index.limit, "figures": index.figures}
    text = {"facts": json.dumps(facts), "names": json.dumps(index.names)}
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {stored: np.ascontiguousarray(getattr(index, name)) for name, stored in _ARRAYS.items()}
    save_file(arrays, path, metadata=text)


def load_index(path: str | Path) -> TrainingSetIndex:
    """What `save_index` wrote.

    Raises:
        ModelNotFound: there is no such file, or it is another's.
    """
    text = _metadata(path)
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(stored) for name, stored in _ARRAYS.items()}
    return TrainingSetIndex(names=tuple(json.loads(text["names"])), **json.loads(text["facts"]), **arrays)


def index_figures(path: str | Path) -> dict[str, Any]:
    """The figures of an index, without its films.

    Raises:
        ModelNotFound: there is no such file, or it is another's.
    """
    return json.loads(_metadata(path)["facts"])["figures"]


def _metadata(path: str | Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    remedy = "`synth privacy index` makes one from the generator's training archive"
    try:
        with safe_open(path, "numpy") as file:
            text = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelNotFound(f"no index of a training archive at {path} ({error}); {remedy}") from error
    if not {"names", "facts"} <= text.keys():
        raise ModelNotFound(f"{path} is no index of a training archive; {remedy}")
    return text


def _batches(films: Iterable[tuple[str, np.ndarray]], size: int) -> Iterator[list[tuple[str, np.ndarray]]]:
    stream = iter(films)
    while part := list(islice(stream, size)):
        yield part


def _shrunk(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(np.asarray(image, np.float32), (side, side), interpolation=cv2.INTER_AREA)


def _thumbnails(images: Sequence[np.ndarray], mean_image: np.ndarray | None = None) -> np.ndarray:
    """(n, THUMBNAIL²) float32 of mean 0 and spread 1; with `mean_image`, what is left without it, of unit length."""
    rows = np.stack([_shrunk(image, THUMBNAIL).ravel() for image in images])
    rows = (rows - rows.mean(1, keepdims=True)) / np.maximum(rows.std(1, keepdims=True), 1e-3)
    return rows if mean_image is None else unit(rows - mean_image)


def _top(asked: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The LOOKED_UP nearest of `rows` to each asked vector and their cosines, by full comparison: none is missed."""
    keys = np.zeros((len(asked), 0), np.int64)
    values = np.zeros((len(asked), 0), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = asked.astype(np.float32) @ rows[start : start + _BLOCK].astype(np.float32).T
        numbers = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        keys, values = np.concatenate([keys, numbers], 1), np.concatenate([values, block], 1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :LOOKED_UP]
        keys, values = np.take_along_axis(keys, order, 1), np.take_along_axis(values, order, 1)
    return keys, values
