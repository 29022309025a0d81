"""Files of predictions are scored against files of labels, or refused in one line for each reason."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.bootstrap import draw_counts, draw_patient_counts, interval
from tasks.evaluate.metrics.delong import clustered_delong, delong
from tasks.evaluate.metrics.ranking import resampled_auroc
from tasks.evaluate.score_files.intervals import Bootstrap
from tasks.evaluate.score_files.join import Allowances, join
from tasks.evaluate.score_files.problems import FilesDoNotFit
from tasks.evaluate.score_files.read import Columns, read_table
from tasks.evaluate.score_files.report import COLUMNS, FileScores, to_csv
from tasks.evaluate.score_files.score import Pair, score_files
from tests.tasks.evaluate.score_files.written import LABELS, PREDICTIONS, Rows, write

STRICT, FEW = Allowances(), Bootstrap(50)
NAMES = ("edema", "mass", "scoliosis")


def films(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores in 0 to 1 with ties, (count, 3), and labels, of which the last finding has one class."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 3)) < (0.4, 0.1, 0)).astype(int)
    return np.round(np.clip(0.3 * labels + rng.random((count, 3)) * 0.7, 0, 1), 2), labels


def table(values: np.ndarray, prefix: str = "f", **columns: list[str]) -> list[dict[str, object]]:
    """A row for each film, with more columns by name."""
    more = [{key: cells[at] for key, cells in columns.items()} for at in range(len(values))]
    return [
        {"film": f"{prefix}{at}", **dict(zip(NAMES, row, strict=True)), **more[at]}
        for at, row in enumerate(values.tolist())
    ]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """200 films of 50 patients."""
    scores, labels = films(200, 0)
    who = [f"p{at // 4}" for at in range(200)]
    return Pair(write(tmp_path / "p.csv", table(scores)), write(tmp_path / "l.csv", table(labels, who=who)[::-1]))


def test_every_figure_is_that_of_the_metric_on_these_films(pair: Pair) -> None:
    scores, labels = films(200, 0)
    found = score_files(pair, Columns(patients="who"), STRICT, FEW)
    assert [item.label for item in found.per_label] == ["edema", "mass"]
    for at, item in enumerate(found.per_label):
        assert item.auroc.value == pytest.approx(roc_auc_score(labels[:, at], scores[:, at]), abs=1e-12)
        assert item.auprc.value == pytest.approx(average_precision_score(labels[:, at], scores[:, at]), abs=1e-12)
        assert item.positives == labels[:, at].sum()
        assert item.f1_oracle == max(f1_score(labels[:, at], scores[:, at] >= cut) for cut in scores[:, at])
        assert item.ece is not None
    assert found.macro.auroc.value == pytest.approx(np.mean([item.auroc.value for item in found.per_label]))
    assert found.macro.labels == 2


def test_intervals_resample_patients_and_those_over_films_stand_beside_them(pair: Pair) -> None:
    scores, labels = films(200, 0)
    who = tuple(f"p{at // 4}" for at in range(200))
    found = score_files(pair, Columns(patients="who"), STRICT, FEW)
    edema = found.per_label[0].auroc
    assert edema.by_patient is not None
    draws = ((edema.by_patient, draw_patient_counts(who, 50, 0)), (edema.by_film, draw_counts(200, 50, 0)))
    for told, counts in draws:
        assert told.model_dump() == interval(resampled_auroc(scores[:, 0], labels[:, 0], counts), 0.95)
    assert (found.unit, found.patients) == ("patient", 50)
    assert found.per_label[0].auroc_se == clustered_delong(scores[:, 0], labels[:, 0], who).standard_error()


def test_without_patients_films_are_resampled_and_the_report_says_so(pair: Pair) -> None:
    scores, labels = films(200, 0)
    found = score_files(pair, Columns(), Allowances(labels=True), FEW)
    assert (found.unit, found.patients) == ("film", None)
    assert found.macro.auroc.by_patient is None
    assert found.per_label[0].auroc_se == pytest.approx(delong(scores[:, 0], labels[:, 0]).standard_error())
    assert found.not_joined == [f"1 label only in {pair.labels}: who"]


def test_a_label_with_one_class_is_named_and_in_no_mean(pair: Pair) -> None:
    found = score_files(pair, Columns(patients="who"), STRICT, FEW)
    assert found.left_out == ["scoliosis"]
    assert "NaN" not in found.model_dump_json()
    assert FileScores.model_validate_json(found.model_dump_json()) == found


def test_f1_takes_its_threshold_from_validation_films(pair: Pair, tmp_path: Path) -> None:
    scores, labels = films(100, 1)
    validation = Pair(write(tmp_path / "vp.csv", table(scores, "v")), write(tmp_path / "vl.csv", table(labels, "v")))
    assert score_files(pair, Columns(patients="who"), STRICT, FEW).macro.f1 is None
    found = score_files(pair, Columns(), Allowances(labels=True), FEW, validation)
    edema = found.per_label[0]
    cuts = {cut: f1_score(labels[:, 0], scores[:, 0] >= cut) for cut in scores[:, 0].tolist()}
    assert edema.threshold == max(cut for cut, f1 in cuts.items() if f1 == max(cuts.values()))
    test_scores, test_labels = films(200, 0)
    assert edema.f1 == pytest.approx(f1_score(test_labels[:, 0], test_scores[:, 0] >= edema.threshold))
    assert edema.f1 is not None
    assert edema.f1 <= edema.f1_oracle
    assert found.macro.f1 is not None
    with pytest.raises(FilesDoNotFit, match=r"200 films both scored and in validation: f\d+, f\d+, f\d+, \.\.\."):
        score_files(pair, Columns(), Allowances(labels=True), FEW, pair)


def test_calibration_is_for_probabilities_only(pair: Pair, tmp_path: Path) -> None:
    scores, _ = films(200, 0)
    cosines = Pair(write(tmp_path / "c.csv", table(scores * 2 - 1)), pair.labels)
    found = score_files(cosines, Columns(patients="who"), STRICT, FEW)
    assert found.macro.ece is None
    assert found.macro.auroc == score_files(pair, Columns(patients="who"), STRICT, FEW).macro.auroc


def test_uncertain_labels_are_refused_or_count_as_is_said(pair: Pair, tmp_path: Path) -> None:
    scores, labels = films(200, 0)
    doubted = labels.astype(object)
    doubted[:7, 0], doubted[7, 0] = -1, None
    doubtful = Pair(pair.predictions, write(tmp_path / "d.csv", table(doubted)))
    with pytest.raises(
        FilesDoNotFit, match=r"8 labels of .*d\.csv -1 or blank: edema of f0, edema of f1, edema of f2, "
    ):
        score_files(doubtful, Columns(), STRICT, FEW)
    found = score_files(doubtful, Columns(), Allowances(uncertain="ignore"), FEW)
    assert (found.per_label[0].ignored, found.uncertain_labels) == (8, {"edema": 8})
    assert found.per_label[0].auroc.value == pytest.approx(roc_auc_score(labels[8:, 0], scores[8:, 0]))
    positive = score_files(doubtful, Columns(), Allowances(uncertain="positive"), FEW)
    assert positive.per_label[0].positives == labels[8:, 0].sum() + 8


@pytest.mark.parametrize(
    ("predictions", "labels", "told"),
    [
        (PREDICTIONS[:1], LABELS, "3 films only in labels: d, b, c (--allow-missing-films leaves them out)"),
        (PREDICTIONS, LABELS[:3], "1 film only in predictions: a (--allow-missing-films leaves them out)"),
        (PREDICTIONS, [{**row, "sex": "F"} for row in LABELS],
         "1 label only in labels: sex (--allow-missing-labels leaves them out)"),
        ([{**row, "Edema": "inf"} for row in PREDICTIONS], LABELS,
         "4 scores of predictions missing or not finite: Edema of a, Edema of b, Edema of c, ..."),
        ([{**PREDICTIONS[0], "Edema": ""}, *PREDICTIONS[1:]], LABELS,
         "1 score of predictions missing or not finite: Edema of a"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line_with_count_and_examples(
    tmp_path: Path, predictions: Rows, labels: Rows, told: str
) -> None:
    pair = Pair(write(tmp_path / "p.csv", predictions), write(tmp_path / "l.csv", labels))
    with pytest.raises(FilesDoNotFit) as raised:
        score_files(pair, Columns(patients="patient"), STRICT, FEW)
    line = str(raised.value).replace(str(pair.predictions), "predictions").replace(str(pair.labels), "labels")
    assert line == told


def test_all_reasons_are_told_at_once(tmp_path: Path) -> None:
    predictions = [{**PREDICTIONS[0], "Edema": "nan"}, *PREDICTIONS[1:3], {**PREDICTIONS[3], "film": "e"}]
    files = (write(tmp_path / "p.csv", predictions), write(tmp_path / "l.csv", LABELS))
    with pytest.raises(FilesDoNotFit) as raised:
        join(read_table(files[0], "predictions", Columns()), read_table(files[1], "labels", Columns()), STRICT)
    assert [line.split(" in ")[0].split(" of ")[0] for line in raised.value.problems] == [
        "1 film only", "1 film only", "1 label only", "1 score",
    ]  # fmt: skip


def test_what_only_one_file_has_may_be_left_out_and_is_told(tmp_path: Path) -> None:
    pair = Pair(write(tmp_path / "p.csv", PREDICTIONS[:3]), write(tmp_path / "l.csv", LABELS))
    found = score_files(pair, Columns(), Allowances(films=True, labels=True), FEW)
    assert found.films == 3
    assert found.not_joined == [f"1 film only in {pair.labels}: d", f"1 label only in {pair.labels}: patient"]


def test_files_with_nothing_in_common_or_no_finding_to_score_are_refused(tmp_path: Path) -> None:
    allow, predictions = Allowances(films=True, labels=True), write(tmp_path / "p.csv", PREDICTIONS)
    others = write(tmp_path / "o.csv", [{**row, "film": f"x{row['film']}"} for row in LABELS])
    with pytest.raises(FilesDoNotFit, match="have no film in common"):
        score_files(Pair(predictions, others), Columns(), allow, FEW)
    unlike = write(tmp_path / "u.csv", [{"film": row["film"], "hernia": 1} for row in LABELS])
    with pytest.raises(FilesDoNotFit, match="have no label in common"):
        score_files(Pair(predictions, unlike), Columns(), allow, FEW)
    alike = write(tmp_path / "a.csv", [{"film": row["film"], "edema": 1} for row in LABELS])
    with pytest.raises(CannotScore, match=r"no label of .*a\.csv is present in some films and absent in others"):
        score_files(Pair(predictions, alike), Columns(), allow, FEW)
    with pytest.raises(FilesDoNotFit, match="has a column 'subject'"):
        score_files(Pair(predictions, write(tmp_path / "l.csv", LABELS)), Columns(patients="subject"), allow, FEW)
    odd = write(tmp_path / "odd.csv", [{"film": row["film"], "edema": 2} for row in LABELS])
    with pytest.raises(CannotScore, match=r"4 labels of 'Edema'.*a label is 1, 0, or -1"):
        score_files(Pair(predictions, odd), Columns(), allow, FEW)


def test_the_csv_has_a_line_per_label_and_the_mean(pair: Pair) -> None:
    found = score_files(pair, Columns(patients="who"), STRICT, FEW)
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["label"] for row in rows] == ["edema", "mass", "macro"]
    assert tuple(rows[0]) == COLUMNS
    assert float(rows[0]["auroc"]) == found.per_label[0].auroc.value
    assert float(rows[2]["auprc_high_film"]) == found.macro.auprc.by_film.high
    assert rows[0]["f1"] == "", "no validation films were given"


def test_stored_predictions_are_both_files(tmp_path: Path, pair: Pair) -> None:
    scores, labels = films(200, 0)
    rows = [
        {"film": f"f{film}", "label": name, "score": scores[film, at], "truth": labels[film, at]}
        for film in range(200) for at, name in enumerate(NAMES)
    ]  # fmt: skip
    path = write(tmp_path / "both.parquet", rows)
    found = score_files(Pair(path, path), Columns(), STRICT, FEW)
    wide = score_files(pair, Columns(), replace(STRICT, labels=True), FEW)
    assert found.per_label == wide.per_label
    assert pl.read_parquet(path).height == 600
