"""`synth evaluate MODEL` prints a table per task, tells what failed in a line, and keeps the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tests.models.vlp.made_up import open_clip_folder

SMALL = ("sources.test.films=24", "evaluate.bootstrap=20", "evaluate.device=cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_clip_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


def synth(root: Path, *words: str) -> tuple[int, str, str]:
    changes = [word for change in (*SMALL, f"storage.root={root / 'store'}") for word in ("--set", change)]
    result = CliRunner().invoke(app, ["evaluate", *words, *changes], env={"SYNTHCXR_HOME": str(root / "home")})
    return result.exit_code, " ".join(result.stdout.split()), " ".join(result.stderr.split())


def test_measures_stand_beside_the_metric_and_notes_say_what_they_are_of(folder: Path, root: Path) -> None:
    code, out, err = synth(root, str(folder), "--task", "zero-shot-label-pair", "--set", "sources.validation=null")
    assert code == 0, err
    assert "AUROC AUPRC F1* ECE" in out
    assert "nothing was chosen on validation films: there are no validation films: name some in sources" in out
    assert "ECE is of this probability: softmax of the cosines" in out
    with_validation = ("--set", "sources.validation={source: 'phantom:b', films: 30, size: 128, seed: 21}")
    code, out, err = synth(root, str(folder), "--task", "zero-shot-label-pair", *with_validation)
    assert code == 0, err
    assert "AUROC AUPRC F1 F1* ECE" in out
    assert "macro MCC (oracle): 0." in out
    assert "chosen on validation films: hospital-b" in out


def test_a_model_is_scored_and_a_failed_task_is_told_beside_the_others(folder: Path, root: Path) -> None:
    tasks = ("--task", "zero-shot-label-max", "--task", "retrieval", "--task", "grounding-pointing")
    code, out, err = synth(root, str(folder), *tasks)
    assert code == 1, err
    assert "zero-shot-label-max version 1 [" in out
    assert "] on hospital-b" in out
    assert "film to report, first 10" in out
    assert "not scored: grounding-pointing: the image tower VisionTransformer gives no regions" in err
    code, out, _ = synth(root, str(folder), "--task", "retrieval", "--json")
    found = json.loads(out)
    assert (code, list(found["tables"]), found["failures"]) == (0, ["retrieval"], {})
    assert found["predictions"]["retrieval"].startswith(f"predictions/model-{found['identity']}/")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--task", "retrieva"), "there is no task 'retrieva', did you mean 'retrieval'?"),
        (("--on", "nowhere"), "'nowhere' is no source"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_loaded(
    words: tuple[str, ...], told: str, folder: Path, root: Path
) -> None:
    code, _, err = synth(root, str(folder), *words)
    assert code == 2
    assert told in err


def test_options_of_one_model_need_a_model(root: Path) -> None:
    code, _, err = synth(root, "--task", "retrieval")
    assert code == 2
    assert "--task belongs to the evaluation of one MODEL" in err.replace("│ ", "")
