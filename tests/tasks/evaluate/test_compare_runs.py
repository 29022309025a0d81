"""Two runs are compared from what the store keeps of them: lists, checkpoints and predictions written by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from storage.errors import ObjectMissing
from storage.layout import DatasetRef, prediction_key
from storage.local import LocalStore
from tasks.evaluate.compare_page import page
from tasks.evaluate.compare_runs import compare_runs, known_runs
from tasks.evaluate.metrics.bootstrap import draw_patient_counts
from tasks.evaluate.metrics.ranking import resampled_auroc
from tasks.evaluate.predictions import Predictions, to_table
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.checkpoint import Checkpoint, write_checkpoint
from tasks.pretrain.runs import keep_trials
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection
from tests.tasks.pretrain.made import left_behind

FILMS, PATIENTS = 40, tuple(f"p{at // 2}" for at in range(40))
TRUTH = (np.random.default_rng(1).random((FILMS, 2)) < 0.4).astype(np.float64)
SECTION = TrainSection(batch=4)


def train(store: LocalStore, run: str, section: TrainSection, arms: Sequence[str], version: str) -> list[Checkpoint]:
    """A run whose arms were trained once each on 16 pairs of a version."""
    drawn = Draw(dataset="films", version=version, fingerprint=f"{version}-0123456789", pairs=16)
    values = [Arm(name=name, mix=(drawn,), samples_seen=section.samples_seen) for name in arms]
    trials = [Trial(arm=arm, objective=KindSpec(kind="clip"), seed=0) for arm in values]
    made = [(trial, write_checkpoint(store, left_behind(trial, section), trial, section)) for trial in trials]
    keep_trials(store, run, made)
    return [held for _, held in made]


def predict(
    store: LocalStore, held: Checkpoint, noise: float, films: int = FILMS, version: str = "v1", task: str = ""
) -> np.ndarray:
    """Predictions of the first `films` films, nearer to the truth the less `noise` there is."""
    rng = np.random.default_rng(int(noise * 10))
    scores = (TRUTH[:films] + rng.normal(size=(films, 2)) * noise).astype(np.float32)
    made = Predictions(
        tuple(f"f{at}" for at in range(films)), ("Edema", "Mass"), scores, TRUTH[:films], PATIENTS[:films]
    )
    test: dict[str, Any] = {"dataset": "hospital-b", "version": version, "fingerprint": version, "selected": ""}
    facts: dict[str, Any] = {"task": {"kind": "zero_shot", "options": {}}, "test": test}
    place = prediction_key(
        held.fingerprint, held.step, DatasetRef("hospital-b", version), task or f"{version:0>16}".replace("v", "a")
    )
    store.put(place, to_table(made, facts))
    return scores


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Runs ``one`` and ``two`` with an arm of one name, trained for other steps on another version."""
    store = LocalStore(tmp_path / "store")
    (one,) = train(store, "one", SECTION.model_copy(update={"samples_seen": 32}), ["real"], "v1")
    two = SECTION.model_copy(update={"samples_seen": 48, "learning_rate": 5e-4, "threads": 1})
    (other, _) = train(store, "two", two, ["real", "more"], "v2")
    predict(store, one, 2.0)
    predict(store, other, 1.0)
    return store


def test_settings_arms_data_and_losses_are_told_apart(store: LocalStore) -> None:
    found = compare_runs(store, "one", "two")
    assert {change.path: (change.before, change.after) for change in found.settings} == {"learning_rate": (1e-3, 5e-4)}
    assert [change.path for change in found.other_settings] == ["threads"]
    arms = {change.path: (change.before, change.after) for change in found.arms}
    assert arms["real.samples_seen"] == (32, 48)
    assert arms["more"] == ("not trained", "seeds 0")
    assert "films@v1, fingerprint v1-012345678" in arms["real.mix.0"][0]
    assert len(arms) == 3, "an arm that one run lacks is one line"
    first = found.trainings[0]
    assert (first.run, first.arm, first.steps, first.first, first.last) == ("one", "real", 8, 1.5, 1.5)
    assert len(found.trainings) == 3
    assert any("recipes of films are not compared" in note for note in found.notes)


def test_the_paired_interval_is_that_of_the_same_resamples_of_patients(store: LocalStore) -> None:
    found = compare_runs(store, "one", "two", bootstrap=60)
    (score,) = found.scores
    assert (score.task, score.arm, score.metric, score.unit) == ("zero_shot", "real", "AUROC", "patient")
    assert score.difference is not None
    counts = np.concatenate([np.ones((1, FILMS)), draw_patient_counts([f"patient {p}" for p in PATIENTS], 60, 0)])
    macros = []
    for noise in (2.0, 1.0):
        rng = np.random.default_rng(int(noise * 10))
        scores = (TRUTH + rng.normal(size=(FILMS, 2)) * noise).astype(np.float32)
        macros.append(np.mean([resampled_auroc(scores[:, at], TRUTH[:, at], counts) for at in range(2)], axis=0))
    assert (score.before, score.after) == pytest.approx((macros[0][0], macros[1][0]))
    difference = macros[1] - macros[0]
    assert score.difference.difference == pytest.approx(difference[0])
    assert score.difference.low == pytest.approx(np.quantile(difference[1:], 0.025))
    assert score.difference.high == pytest.approx(np.quantile(difference[1:], 0.975))


@pytest.mark.parametrize(
    ("films", "version", "why"),
    [(FILMS, "v9", "different films"), (FILMS - 2, "v1", "different films of one version")],
)
def test_other_films_have_no_paired_interval_and_one_line_says_why(
    store: LocalStore, films: int, version: str, why: str
) -> None:
    (held,) = train(store, "three", SECTION.model_copy(update={"samples_seen": 64}), ["real"], "v1")
    predict(store, held, 1.0, films, version)
    (score,) = compare_runs(store, "one", "three", bootstrap=20).scores
    assert score.difference is None
    assert why in score.why
    assert "\n" not in score.why


def test_a_task_that_was_asked_otherwise_is_not_paired(store: LocalStore) -> None:
    (held,) = train(store, "three", SECTION.model_copy(update={"samples_seen": 64}), ["real"], "v1")
    predict(store, held, 1.0, task="fedcba9876543210")
    (score,) = compare_runs(store, "one", "three", bootstrap=20).scores
    assert score.difference is None
    assert score.test == "hospital-b@v1"
    assert "other prompts, validation films or protocol (hash 00000000000000a1 and fedcba9876543210)" in score.why
    assert None not in (score.before, score.after)
    predict(store, held, 1.0)  # asked alike later: these are paired
    (score,) = compare_runs(store, "one", "three", bootstrap=20).scores
    assert score.difference is not None


def test_a_run_with_itself_shares_its_checkpoints_and_does_not_differ(store: LocalStore) -> None:
    found = compare_runs(store, "one", "one", bootstrap=20)
    assert (*found.settings, *found.other_settings, *found.arms, *found.recipes) == ()
    assert found.same_checkpoints == ("real, seed 0",)
    (score,) = found.scores
    assert score.difference is not None
    assert (score.difference.low, score.difference.difference, score.difference.high) == (0, 0, 0)


def test_a_run_without_predictions_is_compared_in_the_rest(store: LocalStore) -> None:
    train(store, "bare", SECTION, ["real"], "v1")
    found = compare_runs(store, "one", "bare")
    assert found.scores == ()
    assert "run bare has no predictions: `synth evaluate` makes them" in found.notes


def test_a_run_that_there_is_not_is_named_with_those_that_there_are(store: LocalStore, tmp_path: Path) -> None:
    assert known_runs(store) == ["one", "two"]
    with pytest.raises(ObjectMissing, match=r"no run 'three' in .*: there are one, two$"):
        compare_runs(store, "one", "three")
    with pytest.raises(ObjectMissing, match="there is none; `synth pretrain` makes one"):
        compare_runs(LocalStore(tmp_path / "empty"), "one", "two")


def test_the_command_prints_tables_and_writes_each_form(store: LocalStore, tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        words = ("compare", *words, "--root", str(store.root), "--bootstrap", "20")
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "160"})
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    shown = run("one", "two", "--out", str(tmp_path / "a.html"))
    assert "learning_rate" in shown
    assert "by patient" in shown
    assert "<img" in (tmp_path / "a.html").read_text()
    run("one", "two", "--out", str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    run("one", "two", "--out", str(tmp_path / "a.json"))
    told = json.loads(run("one", "two", "--json"))
    assert told == json.loads((tmp_path / "a.json").read_text())
    assert told["trainings"][0]["losses"] == [1.5] * 8
    assert "there are one, two" in run("one", "nought", code=2)
    assert ".html, .png, .json" in run("one", "two", "--out", "a.txt", code=2)


def test_texts_of_a_page_are_escaped(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    train(store, "one", SECTION.model_copy(update={"model": "<b>1"}), ["real"], "v1")
    train(store, "two", SECTION, ["real"], "v1")
    shown = page(compare_runs(store, "one", "two"))
    assert "<b>1" not in shown
    assert "&lt;b&gt;1" in shown


def test_neither_a_model_nor_what_trains_one_is_loaded(store: LocalStore) -> None:
    program = (
        "import sys; from storage.local import LocalStore; from tasks.evaluate.compare_runs import compare_runs; "
        f"compare_runs(LocalStore({str(store.root)!r}), 'one', 'two', 20); "
        "print(sorted({'torch', 'mlflow', 'transformers', 'open_clip'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.strip() == "[]"
