"""`synth score` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.evaluate.score_files.report import FileScores
from tests.tasks.evaluate.score_files.written import LABELS, PREDICTIONS, write


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    predictions, labels = write(tmp_path / "p.csv", PREDICTIONS), write(tmp_path / "l.csv", LABELS)
    return ["score", "--predictions", str(predictions), "--labels", str(labels), "--bootstrap", "20"]


def test_a_table_shows_every_label_and_the_mean(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--patients", "patient"])
    assert result.exit_code == 0, result.output
    assert "4 films of 2 patients, 95% intervals by patient" in result.stdout
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.split()}
    assert lines["macro"][1:3] == ["1.000", "1.000-1.000"]
    assert lines["Edema"][1:3] == ["2", "1.000"]
    assert "Lung_Mass" in lines
    assert "oracle" in result.stdout
    assert "with films resampled instead, which is too narrow: macro AUROC 1.000 1.000-1.000" in result.stdout


def test_figures_go_to_json_and_csv(words: list[str], tmp_path: Path) -> None:
    for name in ("o.json", "o.csv"):
        result = CliRunner().invoke(app, [*words, "--patients", "patient", "--out", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        assert f"written to {tmp_path / name}" in result.stdout.replace("\n", "")
    found = FileScores.model_validate_json((tmp_path / "o.json").read_text())
    assert found.macro.auroc.value == 1.0
    assert (tmp_path / "o.csv").read_text().splitlines()[1].startswith("Edema,4,2,0,1.0,")
    printed = CliRunner().invoke(app, [*words, "--patients", "patient", "--json"])
    assert json.loads(printed.stdout) == found.model_dump(mode="json")


def test_what_does_not_fit_is_one_line_and_exit_code_2(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "1 label only in" in result.stderr
    assert "patient (--allow-missing-labels leaves them out); --patients patient names a column" in result.stderr
    allowed = CliRunner().invoke(app, [*words, "--allow-missing-labels"])
    assert allowed.exit_code == 0
    assert "left out: 1 label only in" in allowed.stdout


def test_validation_files_give_the_thresholds_of_f1(words: list[str], tmp_path: Path) -> None:
    others = [
        write(tmp_path / f"v{name}.csv", [{**row, "film": f"v{row['film']}"} for row in rows])
        for name, rows in (("p", PREDICTIONS), ("l", LABELS))
    ]
    result = CliRunner().invoke(app, [*words, "--patients", "patient", "--validation", *map(str, others)])
    assert result.exit_code == 0, result.output
    assert result.stdout.split("macro")[0].count("F1") == 2, "F1 and its oracle"


def test_a_file_of_another_kind_is_refused_before_any_work(words: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "o.xlsx")])
    assert result.exit_code == 2
    assert "neither in .json nor in .csv" in result.stderr
