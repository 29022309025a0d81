"""Predictions are kept once, one row per image and label, and what is no such table is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import CorruptShard, ObjectMissing
from storage.local import LocalStore
from tasks.evaluate.film_facts import FilmFacts
from tasks.evaluate.predictions import (
    Predictions,
    ensure_predictions,
    from_table,
    prediction_facts,
    read_predictions,
    to_table,
)

KEY = "predictions/x/films/v1/y.parquet"
SCORES = np.array([[0.25, -1.5], [0.1, np.nan], [3e38, 0.0]], np.float32)
TRUTH = np.array([[1.0, 0.0], [-1.0, np.nan], [0.0, 1.0]])
MADE = Predictions(("a", "b", "c"), ("edema", "mass"), SCORES, TRUTH)


def same(one: Predictions, other: Predictions) -> bool:
    pairs = ((one.scores, other.scores), (one.truth, other.truth))
    arrays = all(np.array_equal(*pair, equal_nan=True) for pair in pairs)
    return arrays and (one.films, one.labels) == (other.films, other.labels)


def test_a_table_has_one_row_per_image_and_label() -> None:
    rows = pq.read_table(io.BytesIO(to_table(MADE, {"task": "t"}))).to_pylist()
    assert rows[0] == {"film": "a", "label": "edema", "score": 0.25, "truth": 1, "patient": None}
    assert [row["truth"] for row in rows] == [1, 0, -1, None, 0, 1]
    assert prediction_facts(to_table(MADE, {"task": "t"})) == {"task": "t"}


def test_predictions_come_back_bit_for_bit() -> None:
    assert same(from_table(to_table(MADE, {})), MADE)
    assert to_table(MADE, {}) == to_table(MADE, {})


def test_whose_each_image_is_comes_back_and_older_files_do_not_say() -> None:
    of_two = replace(MADE, patients=("p", None, "q"))
    data = to_table(of_two, {})
    assert pq.read_table(io.BytesIO(data))["patient"].to_pylist() == ["p", "p", None, None, "q", "q"]
    assert from_table(data).patients == ("p", None, "q")
    assert from_table(to_table(MADE, {})).patients is None
    older = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(to_table(of_two, {}))).drop_columns(["patient"]), older)
    assert from_table(older.getvalue()).patients is None
    assert same(from_table(older.getvalue()), MADE)


def test_patients_that_fit_no_image_are_refused() -> None:
    with pytest.raises(ValueError, match="predictions of 3 images name the patients of 2"):
        replace(MADE, patients=("p", "q"))
    table = pq.read_table(io.BytesIO(to_table(MADE, {})))
    two = table.set_column(4, "patient", pa.array(["p", "q", "r", "r", "r", "r"]))
    sink = io.BytesIO()
    pq.write_table(two, sink)
    with pytest.raises(ValueError, match="two patients for one image"):
        from_table(sink.getvalue())


def test_what_is_known_of_each_image_comes_back_and_older_files_do_not_say() -> None:
    facts = (FilmFacts("F", 61.5, "PA", "x"), FilmFacts(), FilmFacts(view="AP"))
    data = to_table(replace(MADE, facts=facts), {})
    assert from_table(data).facts == facts
    assert same(from_table(data), MADE)
    assert from_table(to_table(MADE, {})).facts is None


def test_facts_that_fit_no_image_are_refused() -> None:
    with pytest.raises(ValueError, match="predictions of 3 images have facts of 1"):
        replace(MADE, facts=(FilmFacts(),))
    known = pq.read_table(io.BytesIO(to_table(replace(MADE, facts=(FilmFacts(),) * 3), {})))
    sink = io.BytesIO()
    pq.write_table(known.set_column(7, "view", pa.array(["AP", "PA", None, None, None, None])), sink)
    with pytest.raises(ValueError, match="two things of one image"):
        from_table(sink.getvalue())


def test_predictions_are_made_once(local_store: LocalStore) -> None:
    asked: list[int] = []

    def predict() -> Predictions:
        asked.append(1)
        return MADE

    first = ensure_predictions(local_store, KEY, {}, predict)
    again = ensure_predictions(local_store, KEY, {}, predict)
    assert same(first, MADE)
    assert same(again, MADE)
    assert len(asked) == 1


def test_the_loser_of_a_race_takes_what_is_there(local_store: LocalStore) -> None:
    rival = Predictions(MADE.films, MADE.labels, np.zeros((3, 2), np.float32), TRUTH)

    def predict() -> Predictions:
        local_store.put(KEY, to_table(rival, {}))
        return MADE

    assert same(ensure_predictions(local_store, KEY, {}, predict), rival)


def table(films: list[str], labels: list[str], **more: list[float]) -> bytes:
    columns = {"film": films, "label": labels, "score": [0.5] * len(films), "truth": [1] * len(films), **more}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no predictions"),
        (b"PAR1 and more", "no predictions"),
        (table(["a", "a", "b"], ["x", "y", "x"]), "one row for each image and label"),
        (table(["a", "b", "a", "b"], ["x", "x", "y", "y"]), "one row for each image and label"),
        (table(["a"], ["x"], more=[1.0]), "its columns are film, label, score, truth, more"),
    ],
)
def test_what_is_no_table_of_predictions_is_refused_by_name(local_store: LocalStore, data: bytes, told: str) -> None:
    local_store.put(KEY, data)
    with pytest.raises(CorruptShard, match=rf"{KEY} .*{told}"):
        read_predictions(local_store, KEY)


def test_a_cut_off_table_is_refused(local_store: LocalStore) -> None:
    local_store.put(KEY, to_table(MADE, {})[:-20])
    with pytest.raises(CorruptShard, match="remove it and evaluate again"):
        read_predictions(local_store, KEY)
    with pytest.raises(ObjectMissing):
        read_predictions(local_store, "predictions/none")
