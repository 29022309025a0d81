"""The predictions of a checkpoint on a test set, one row per image and label; every score is computed from these.

``predictions/<trial>-<step>/<name>/<version>/<task>.parquet`` has the columns film, label, score, truth and patient,
and sex, age (years), view and site. These are null where nobody knows; older files lack the last four, those of
version 0.2 the patient too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from storage.canonical import canonical_json
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing
from storage.tables import check_claims, read_table_object
from tasks.evaluate.film_facts import FilmFacts

if TYPE_CHECKING:
    from storage.objects import ObjectStore

pq: Any = pyarrow.parquet  # whose stubs leave parameters untyped
VALIDATION_ROLE = "validation"
"""What the facts of predictions have as ``role`` where they were made to choose thresholds on."""
_FACTS = b"synthcxr.predictions"
_SCHEMA = pa.schema(
    [
        pa.field("film", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("truth", pa.int8()),
        pa.field("patient", pa.string()),
    ]
)
_FACT_FIELDS: list[Any] = [
    pa.field("sex", pa.string()),
    pa.field("age", pa.float64()),
    pa.field("view", pa.string()),
    pa.field("site", pa.string()),
]
_EVERY_FIELD: Any = [*_SCHEMA, *_FACT_FIELDS]
_WITH_FACTS: Any = pa.schema(_EVERY_FIELD)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of images for labels, with what is true.

    Args:
        films: ids of the images.
        labels: names.
        scores: (films, labels) float32, higher means more likely present.
        truth: (films, labels) float64 of 1, 0, -1 for uncertain, and NaN where nothing is known.
        patients: of each film, None for a film of an unknown one; None where none is known.
        facts: of each film; None where nobody asked for them, as in older files.

    Raises:
        ValueError: shapes do not agree.
    """

    films: tuple[str, ...]
    labels: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray
    patients: tuple[str | None, ...] | None = None
    facts: tuple[FilmFacts, ...] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.films), len(self.labels))
        if self.scores.shape != shape or self.truth.shape != shape:
            raise ValueError(f"predictions of {shape} are {self.scores.shape}, their truth {self.truth.shape}")
        if self.patients is not None and len(self.patients) != len(self.films):
            raise ValueError(f"predictions of {len(self.films)} images name the patients of {len(self.patients)}")
        if self.facts is not None and len(self.facts) != len(self.films):
            raise ValueError(f"predictions of {len(self.films)} images have facts of {len(self.facts)}")


def ensure_predictions(
    store: ObjectStore, key: str, facts: Mapping[str, Any], predict: Callable[[], Predictions]
) -> Predictions:
    """The predictions at `key`; made and kept, create-only, where there are none.

    Raises:
        CorruptShard: what is there are no predictions.
    """
    try:
        return read_predictions(store, key)
    except ObjectMissing:
        made = predict()
    try:
        store.put(key, to_table(made, facts))
    except AlreadyExists:  # another worker was first with the same predictions
        return read_predictions(store, key)
    return made


def to_table(predictions: Predictions, facts: Mapping[str, Any]) -> bytes:
    """Parquet bytes, image by image; `facts`, in the file's metadata, are what they are predictions of."""
    n, k = predictions.scores.shape
    truth = predictions.truth.reshape(-1)
    columns = [
        pa.array(np.repeat(np.array(predictions.films, object), k), pa.string()),
        pa.array(np.tile(np.array(predictions.labels, object), n), pa.string()),
        pa.array(predictions.scores.reshape(-1), pa.float32()),
        pa.array(np.nan_to_num(truth).astype(np.int8), pa.int8(), mask=np.isnan(truth)),
        pa.array(np.repeat(np.array(predictions.patients or (None,) * n, object), k), pa.string()),
    ]
    schema: Any = _SCHEMA  # likewise
    if predictions.facts is not None:
        schema = _WITH_FACTS
        known = [[getattr(one, field.name) for one in predictions.facts] for field in _FACT_FIELDS]
        columns += [
            pa.array(np.repeat(np.array(held, object), k), field.type)
            for held, field in zip(known, _FACT_FIELDS, strict=True)
        ]
    metadata = {_FACTS: canonical_json(dict(facts)).encode()}
    table = pa.Table.from_arrays(columns, schema=schema.with_metadata(metadata))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", version="2.6")
    return sink.getvalue()


def read_predictions(store: ObjectStore, key: str) -> Predictions:
    """Predictions from the store.

    Raises:
        ObjectMissing: there are none.
        CorruptShard: the object is no table of predictions, or of other images for each label.
    """
    data = read_table_object(store, key)
    try:
        return from_table(data)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise CorruptShard(f"{store.uri(key)} holds no predictions: {why}; remove it and evaluate again") from error


def from_table(data: bytes) -> Predictions:
    """Predictions in Parquet bytes.

    Raises:
        ValueError, ArrowException: it is no such table.
    """
    check_claims(data)
    table = pq.read_table(io.BytesIO(data))
    if table.schema.names == _SCHEMA.names[:-1]:  # as version 0.2 wrote it
        table = table.append_column("patient", pa.nulls(table.num_rows, pa.string()))
    schema: Any = _SCHEMA if table.schema.names == _SCHEMA.names else _WITH_FACTS
    if table.schema.names != schema.names:
        raise ValueError(f"its columns are {', '.join(table.schema.names)}")
    table = table.cast(schema)
    films, labels = (list(map(str, table.column(name).to_pylist())) for name in ("film", "label"))
    names, every = tuple(dict.fromkeys(labels)), tuple(dict.fromkeys(films))
    shape = (len(every), len(names))
    if labels != list(names) * shape[0] or films != [film for film in every for _ in names]:
        raise ValueError("it does not hold one row for each image and label")
    truth = table.column("truth").to_numpy().astype(np.float64)
    scores = table.column("score").to_numpy().astype(np.float32)
    patients: list[str | None] = table.column("patient").to_pylist()
    of_film = tuple(patients[:: len(names)])
    if patients != [patient for patient in of_film for _ in names]:
        raise ValueError("it names two patients for one image")
    known, facts = of_film if any(of_film) else None, None if schema is _SCHEMA else _facts(table, len(names))
    return Predictions(every, names, scores.reshape(shape), truth.reshape(shape), known, facts)


def _facts(table: Any, labels: int) -> tuple[FilmFacts, ...]:
    """Of each image; its rows, one for each label, must agree."""
    rows = list(zip(*(table.column(field.name).to_pylist() for field in _FACT_FIELDS), strict=True))
    of_film = rows[::labels]
    if rows != [held for held in of_film for _ in range(labels)]:
        raise ValueError("it says two things of one image")
    return tuple(FilmFacts(*held) for held in of_film)


def prediction_facts(data: bytes) -> dict[str, Any]:
    """What the predictions in Parquet bytes are of, by their metadata; empty without it.

    Raises:
        ArrowException, ValueError: not Parquet, or its metadata is no JSON.
    """
    metadata: dict[bytes, bytes] = pq.read_schema(io.BytesIO(data)).metadata or {}
    return json.loads(metadata.get(_FACTS, b"{}"))
