"""Predictions and labels are read from CSV and Parquet in every form; what is no such table is named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.score_files.join import Allowances, join
from tasks.evaluate.score_files.problems import FilesDoNotFit
from tasks.evaluate.score_files.read import Columns, read_table
from tests.tasks.evaluate.score_files.written import LABELS, PREDICTIONS, Rows, write

LONG = [
    {"film": row["film"], "label": name, "score": row[name]} for row in PREDICTIONS for name in ("Edema", "Lung_Mass")
]


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz", "p.parquet"])
@pytest.mark.parametrize("rows", [PREDICTIONS, LONG], ids=["wide", "long"])
def test_every_form_holds_the_same(tmp_path: Path, name: str, rows: Rows) -> None:
    table = read_table(write(tmp_path / name, rows), "predictions", Columns())
    assert table.films == ("a", "b", "c", "d")
    assert {key: name for key, (name, _) in table.columns.items()} == {"edema": "Edema", "lung mass": "Lung_Mass"}
    assert table.values("lung mass").tolist() == [0.1, 0.8, 0.3, 0.7]


def test_scores_are_read_in_full_precision(tmp_path: Path) -> None:
    score = 0.1 + 0.2
    for name in ("p.csv", "p.parquet"):
        path = write(tmp_path / name, [{"film": "a", "Edema": score}])
        assert read_table(path, "predictions", Columns()).values("edema")[0] == score


def test_a_column_of_names_says_what_is_present_and_of_no_other_label_anything_else(tmp_path: Path) -> None:
    rows = [
        {"Image Index": "a", "Finding Labels": "Edema| Pleural_Thickening"},
        {"Image Index": "b", "Finding Labels": "No Finding"},
        {"Image Index": "c", "Finding Labels": ""},
    ]
    path = write(tmp_path / "l.csv", rows)
    table = read_table(path, "labels", Columns(listed="Finding Labels"), ["Edema", "Hernia"])
    assert list(table.columns) == ["edema", "hernia", "pleural thickening"]
    assert table.values("edema")[:2].tolist() == [1, 0]
    assert table.values("hernia")[:2].tolist() == [0, 0]
    assert np.isnan(table.values("pleural thickening")[2]), "a blank cell says nothing"


def test_labels_may_be_blank_and_long_ones_may_be_left_out(tmp_path: Path) -> None:
    cells = ["1", "0.0", "-1", "", " NaN ", "NA"]
    wide = write(tmp_path / "w.csv", [{"film": f"f{at}", "x": cell} for at, cell in enumerate(cells)])
    assert np.array_equal(
        read_table(wide, "labels", Columns()).values("x"), [1, 0, -1, np.nan, np.nan, np.nan], equal_nan=True
    )
    long = write(
        tmp_path / "l.csv", [{"film": "a", "label": "x", "value": 1}, {"film": "b", "label": "y", "value": 0}]
    )
    assert np.array_equal(read_table(long, "labels", Columns()).values("x"), [1, np.nan], equal_nan=True)


def test_patients_and_prefixed_columns_are_told_apart_from_labels(tmp_path: Path) -> None:
    rows = [
        {"path": "a", "prob_Edema": 0.5, "model": "m", "who": 7},
        {"path": "b", "prob_Edema": 0.1, "model": "m", "who": 8},
    ]
    table = read_table(write(tmp_path / "p.csv", rows), "predictions", Columns(patients="who", prefix="prob_"))
    assert list(table.columns) == ["edema"]
    assert table.patients == ("7", "8")
    assert read_table(write(tmp_path / "l.csv", LABELS), "labels", Columns(patients="patient")).patients == (
        "p2", "p1", "p2", "p1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ([{"film": name, "x": 1} for name in "aabbccdd"], Columns(), "holds 4 films more than once: a, b, c, ..."),
        ([{"film": "a", "label": "x", "score": 1}] * 2, Columns(), "holds 1 score or label more than once: x of a"),
        ([{"film": "", "x": 1}, {"film": "b", "x": 1}], Columns(), "column 'film': 1 blank cell: row 1"),
        ([{"film": "a", "x": 1, "who": ""}], Columns(patients="who"), "column 'who': 1 blank cell: a"),
        ([{"film": "a", "label": name, "score": 1, "who": name} for name in "xy"], Columns(patients="who"),
         "gives 1 film more than one patient: a"),
        ([{"what": "a", "x": 1}], Columns(), "has no column for the film's id .*it has what, x"),
        ([{"film": "a", "x": 1}], Columns(film="uid"), "has no column 'uid'; it has film, x"),
        ([{"film": "a", "x": 1}], Columns(listed="names"), "has no column 'names'; it has film, x"),
        ([{"film": "a", "Lung_Mass": 1, "lung mass": 0}], Columns(),
         "one label in two spellings: Lung_Mass, lung mass"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_count_and_examples(
    tmp_path: Path, rows: Rows, columns: Columns, told: str
) -> None:
    path = write(tmp_path / "p.csv", rows)
    with pytest.raises(FilesDoNotFit, match=told) as raised:
        read_table(path, "predictions", columns)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_cell_that_holds_no_number_is_named_with_its_film(tmp_path: Path) -> None:
    rows = [{"film": f"f{at}", "Edema": cell} for at, cell in enumerate(["1", "yes", "?", "0", "no", "x"])]
    table = read_table(write(tmp_path / "l.csv", rows), "labels", Columns())
    with pytest.raises(
        FilesDoNotFit, match=r"column 'Edema': 4 cells that hold no number: f1: 'yes', f2: '\?', f4: 'no', \.\.\."
    ):
        table.values("edema")


SAVED = {
    "semicolons": b"film;Edema;Lung_Mass\na;0.5;0.1\nb;1.5e-3;0.8\n",
    "decimal commas": b"film;Edema;Lung_Mass\na;0,5;0,1\nb;1,5E-03;0,8\n",
    "declared": b"sep=;\r\nfilm;Edema;Lung_Mass\r\na;0,5;0,1\r\nb;0,0015;0,8\r\n",
    "tabs": b"film\tEdema\tLung_Mass\na\t0.5\t0.1\nb\t0.0015\t0.8\n",
    "bars": b"film|Edema|Lung_Mass\na|0.5|0.1\nb|0.0015|0.8\n",
    "utf-16": "film,Edema,Lung_Mass\na,0.5,0.1\nb,0.0015,0.8\n".encode("utf-16"),
    "utf-16 with tabs": "film\tEdema\tLung_Mass\r\na\t0.5\t0.1\r\nb\t0.0015\t0.8\r\n".encode("utf-16"),
    "utf-32": "film;Edema;Lung_Mass\na;0.5;0.1\nb;0.0015;0.8\n".encode("utf-32"),
    "utf-8 with a mark": "film;Edema;Lung_Mass\na;0.5;0.1\nb;0.0015;0.8\n".encode("utf-8-sig"),
}


@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path: Path, saved: str, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(SAVED[saved]) if name.endswith(".gz") else SAVED[saved])
    table = read_table(tmp_path / name, "predictions", Columns())
    assert table.films == ("a", "b")
    assert table.values("edema").tolist() == [0.5, 0.0015]
    assert table.values("lung mass").tolist() == [0.1, 0.8]


def test_true_and_false_are_one_and_zero(tmp_path: Path) -> None:
    rows = [{"film": f"f{at}", "x": cell} for at, cell in enumerate(["True", "FALSE", "", "true", "0"])]
    values = read_table(write(tmp_path / "l.csv", rows), "labels", Columns()).values("x")
    assert np.array_equal(values, [1, 0, np.nan, 1, 0], equal_nan=True)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("p.csv", b"", "p.csv is empty$"),
        ("p.parquet", b"", "p.parquet is empty$"),
        ("p.csv", b"PAR1junk", "p.csv is Parquet, not CSV: give it the ending .parquet"),
        ("p.parquet", b"film,x\n", "p.parquet cannot be read as Parquet, which its ending tells: "),
        ("p.csv", b"film,x\na,1,2\n", "p.csv cannot be read as CSV: a row has more cells than the header: name every"),
        ("p.csv", "film,x\na,1\n".encode("utf-16-le"), "p.csv holds zero bytes; it is no text, or UTF-16 without"),
        ("p.csv.gz", b"\x1f\x8b junk", "p.csv.gz cannot be unpacked: "),
    ],
)
def test_why_a_file_is_no_table_is_told_of_its_own_kind(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CannotScore, match=told):
        read_table(tmp_path / name, "predictions", Columns())


def test_one_cell_without_a_number_holds_none(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "l.csv", [{"film": "a", "x": "?"}]), "labels", Columns())
    with pytest.raises(FilesDoNotFit, match="1 cell that holds no number: a: "):
        table.values("x")


@pytest.mark.parametrize("column", ["subject_id", "PatientID", "Patient ID"])
def test_a_column_of_patients_that_nobody_named_is_told_with_the_option(tmp_path: Path, column: str) -> None:
    predictions = read_table(write(tmp_path / "p.csv", [{"film": "a", "x": 1}]), "predictions", Columns())
    labels = read_table(write(tmp_path / "l.csv", [{"film": "a", "x": 1, column: 7}]), "labels", Columns())
    with pytest.raises(
        FilesDoNotFit, match=rf"1 label only in .*: {column} .*--patients '?{column}'? names a column of patients"
    ):
        join(predictions, labels, Allowances())


@pytest.mark.parametrize(
    ("name", "data"),
    [("p.csv", b""), ("p.csv", b"film,x\n"), ("p.parquet", b"junk"), ("p.csv", b"film,x\n\xff\xfe,1")],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CannotScore, match=name):
        read_table(tmp_path / name, "predictions", Columns())


@pytest.mark.parametrize("values", [[[1.0], [2.0]], [b"\xff", b"1"], [{"a": 1}, {"a": 2}]])
def test_columns_that_hold_no_single_value_are_named(tmp_path: Path, values: list[object]) -> None:
    path = tmp_path / "p.parquet"
    pl.DataFrame({"film": ["a", "b"], "x": values}).write_parquet(path)
    with pytest.raises(FilesDoNotFit, match=r"1 column neither text nor numbers, leave them out: x"):
        read_table(path, "predictions", Columns())


def test_a_name_with_wildcards_is_a_name_and_a_folder_is_no_file(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "p[1]*.csv", PREDICTIONS), "predictions", Columns()).films[0] == "a"
    with pytest.raises(IsADirectoryError):
        read_table(tmp_path, "predictions", Columns())


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv", "predictions", Columns())
