"""Labelled dataset versions as an evaluation task sees them; nothing is read before it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from models.findings.label_sets import UnknownLabels, load
from storage.canonical import canonical_json
from storage.layout import embedding_key
from storage.loader import Part, read_parts
from storage.records import PairRow
from storage.versions import Version
from tasks.evaluate.embeddings import ensure_embeddings
from tasks.evaluate.film_facts import FilmFacts, facts_of
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import DEFAULT
from tasks.pretrain.arms import kept_sha256
from tasks.pretrain.images import image_of

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel

_BLOCK = 1024
_MOST = 1 << 30


@dataclass(slots=True)
class LabelledSet:
    """The images and rows of a dataset version, or of a selection of it.

    Args:
        version: the version.
        selection: name of a curated selection of it; None for all of it.
        most: bytes of decoded images that are kept for the next model; more are read anew for each.
    """

    version: Version
    selection: str | None = None
    most: int = _MOST
    _kept: frozenset[str] | None = None
    _rows: tuple[PairRow, ...] = ()
    _parts: tuple[Part, ...] = ()
    _blocks: dict[int, list[np.ndarray]] = field(default_factory=dict[int, "list[np.ndarray]"])
    _embedded: tuple[VisionLanguageModel, np.ndarray] | None = None
    __test__ = False  # no test of pytest's

    def __str__(self) -> str:
        return f"{self.version}/{self.selection}" if self.selection else str(self.version)

    def identity(self) -> dict[str, Any]:
        """What names its content: the version's fingerprint, and a hash of what the selection keeps."""
        kept = self._kept_ids()
        return {
            "dataset": self.version.ref.name,
            "version": self.version.ref.version,
            "fingerprint": self.version.manifest.fingerprint,
            "selected": "" if kept is None else kept_sha256(kept),
        }

    def rows(self) -> tuple[PairRow, ...]:
        """Every sample's row, in the order of the version; read once.

        Raises:
            CorruptShard: an index cannot be read.
            CannotScore: there is no sample.
        """
        if not self._rows:
            kept = self._kept_ids()
            parts: list[Part] = []
            rows: list[PairRow] = []
            for entry in self.version.manifest.shards:
                every = self.version.shard_rows(entry)
                wanted = [row for row in every if kept is None or row.sample_id in kept]
                if entry.pairs is not None and wanted:
                    parts.append(Part(self.version.ref.key(entry.pairs.key), tuple(row.sample_id for row in wanted)))
                rows += wanted
            self._rows, self._parts = tuple(rows), tuple(parts)
        if not self._rows:
            raise CannotScore(f"dataset {self} holds no images: nothing to evaluate on")
        return self._rows

    def need(self, fields: Iterable[str], task: str) -> None:
        """Check that some row holds each of these fields of a `PairRow`, which `task` needs.

        Args:
            fields: names, or several joined by ``|`` where one of them is enough.
            task: for the message.

        Raises:
            CannotScore: no row holds one of them; all such are named.
        """
        missing = [
            " or ".join(either)
            for either in (name.split("|") for name in sorted(fields))
            if not any(getattr(row, name, None) for name in either for row in self.rows())
        ]
        if missing:
            raise CannotScore(f"dataset {self} has no {' and no '.join(missing)}, which task {task} needs")

    def ids(self) -> tuple[str, ...]:
        """Ids of the samples, in the order of `rows`."""
        return tuple(row.sample_id for row in self.rows())

    def patients(self) -> tuple[str | None, ...] | None:
        """Whose each image is, in the order of `rows`; None where no row says."""
        known = tuple(row.patient for row in self.rows())
        return known if any(known) else None

    def facts(self) -> tuple[FilmFacts, ...]:
        """What is known of each image, in the order of `rows`."""
        return tuple(map(facts_of, self.rows()))

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """The images as uint8 (n, size, size), at most 1,024 at a time, in the order of `rows`.

        Images are decoded once per size, as long as all of them fit `most`.

        Raises:
            CorruptShard, ObjectMissing: the message names the tar or the sample.
        """
        if size in self._blocks:
            yield from self._blocks[size]
            return
        fits = len(self.rows()) * size * size <= self.most
        held: list[np.ndarray] = []
        samples = read_parts(self.version.store, self._parts)
        while images := [image_of(sample, str(self.version), size) for sample in islice(samples, _BLOCK)]:
            block = np.stack(images)
            if fits:
                held.append(block)
            yield block
        if fits:
            self._blocks = {size: held}

    def images(self, size: int) -> np.ndarray:
        """All images (n, size, size) uint8, in the order of `rows`; `blocks` needs less memory."""
        return np.concatenate(list(self.blocks(size)))

    def embeddings(self, model: VisionLanguageModel) -> np.ndarray:
        """The images as `model` embeds them, (n, d) float32; kept until another model is asked.

        Those of a model with an identity are kept in the store too (`tasks.evaluate.embeddings`).

        Raises:
            CorruptShard, ObjectMissing: from the store; the message names the object.
        """
        if self._embedded is None or self._embedded[0] is not model:
            self._embedded = (model, self._embeddings(model))
        return self._embedded[1]

    def _embeddings(self, model: VisionLanguageModel) -> np.ndarray:
        def embed() -> np.ndarray:
            return np.concatenate([model.embed_images(block) for block in self.blocks(model.film_size)])

        if model.identity is None:
            return embed()
        chosen = hashlib.sha256(canonical_json(self.identity()).encode()).hexdigest()[:16]
        key = embedding_key(model.identity, self.version.ref, chosen)
        return ensure_embeddings(self.version.store, key, len(self.rows()), embed)

    def known_labels(self) -> tuple[str, ...]:
        """Labels that any row states, in the order in which rows first do."""
        return tuple(dict.fromkeys(label for row in self.rows() for label in row.labels))

    def findings(self) -> tuple[str, ...]:
        """The findings that rows label, in the order and spelling of the label set.

        Raises:
            CannotScore: no row labels any, or one labels what is not in the set.
        """
        label_set, labels = load(self.version.manifest.label_set or DEFAULT), self.known_labels()
        try:
            label_set.check(labels, f"dataset {self}")
        except UnknownLabels as error:
            raise CannotScore(str(error)) from error
        found = {label.name for label in map(label_set.find, labels) if label is not None}
        names = tuple(label.name for label in label_set.labels if label.name in found)
        if not names:
            raise CannotScore(f"dataset {self} labels no finding: it cannot be a test set")
        return names

    def truth(self, names: Sequence[str]) -> np.ndarray:
        """Labels (n, names) float64 as the rows hold them: 1, 0, -1 for uncertain, NaN where a row has none.

        Args:
            names: as the label set spells them; a row may use an alias.
        """
        known = load(self.version.manifest.label_set or DEFAULT)
        spelt = {label: found.name for label in self.known_labels() if (found := known.find(label)) is not None}
        table = np.full((len(self.rows()), len(names)), np.nan)
        place = {name: at for at, name in enumerate(names)}
        for row, values in zip(table, (row.labels for row in self.rows()), strict=True):
            for label, value in values.items():
                if (at := place.get(spelt.get(label, label))) is not None:
                    row[at] = value
        return table

    def _kept_ids(self) -> frozenset[str] | None:
        if self.selection is not None and self._kept is None:
            from tasks.curate.keep import read_selection

            self._kept = frozenset(read_selection(self.version, self.selection).kept)
        return self._kept


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """The films that a model is examined on, and labelled films that a task may train and tune on.

    Args:
        test: what is predicted and scored.
        validation: films to choose settings on (`sources.validation`); None where there are none.
        training: films to train on (`sources.finetune`); None where there are none.
    """

    test: LabelledSet
    validation: LabelledSet | None = None
    training: LabelledSet | None = None

    def to_train_on(self, task: str) -> tuple[LabelledSet, LabelledSet]:
        """The training and the validation films, which `task` needs.

        Raises:
            CannotScore: one of them is missing.
        """
        if self.training is None or self.validation is None:
            missing = [
                name for name, held in (("finetune", self.training), ("validation", self.validation)) if held is None
            ]
            raise CannotScore(
                f"task {task} trains on labelled films: set {' and '.join(f'sources.{name}' for name in missing)}"
            )
        return self.training, self.validation
