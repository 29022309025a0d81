"""`synth curate` and `synth privacy` on a small version in a local store, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.services.home import PROFILES
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.open import open_store
from storage.records import GateRow, PairRow
from storage.shards import sample_of
from storage.versions import VersionPlace, published
from tasks.publish.dataset import ManifestFacts, publish_manifest
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import load_recipe

FAST = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Run a command on a store that holds the version `try`/`v1` of three films."""
    import hashlib

    from models.phantom.archive import films
    from models.phantom.hospital import HOSPITAL_A
    from storage.png import encode_png

    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    store, ref, samples = open_store(str(tmp_path / "store")), DatasetRef("try", "v1"), []
    for at, film in enumerate(films(HOSPITAL_A, 7, [1, 2, 1])):
        png, score = encode_png(film.image), (0.9, 0.3, 0.8)[at]
        row = PairRow(
            sample_id=f"s{at}", index=at, findings=f"film {at}", impression="x", entities=[], mentions=[],
            labels={"pneumothorax": 1}, report_seed=0, report_attempts=1, report_tokens=1, image_seed=0,
            image_attempts=1, png_sha256=hashlib.sha256(png).hexdigest(),
            gates=[GateRow(gate="contrast", score=score, threshold=0.15, passed=True)],
        )  # fmt: skip
        samples.append(sample_of(row, png))
    entry = commit_shard(store, ref, 0, ShardContents(samples))
    mark = fingerprint(load_recipe(FAST, [], PROFILES))
    publish_manifest(VersionPlace(store, ref), [entry], ManifestFacts(fingerprint=mark, asked=3, models={}))
    fixed = ["--profile", FAST, "--set", f"storage.root={tmp_path / 'store'}"]
    fixed += ["--set", "dataset=try", "--set", "version=v1"]

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, *fixed])
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    return run


def test_a_dry_run_explains_and_writes_nothing(said, tmp_path):
    out = said("curate", "--dry-run", "--set", "curate.thresholds.contrast=0.5")
    assert "1 of 3 pairs kept" in out
    assert "s1: 0.3 is below 0.5" in out
    assert "same image" in out
    assert not list(open_store(str(tmp_path / "store")).list("selections/"))


@pytest.mark.parametrize("words", [("curate", "--dry-run"), ("privacy", "audit", "--index", "m.safetensors")])
def test_the_version_of_another_recipe_is_not_taken(said, monkeypatch, words):
    monkeypatch.setattr("models.gates.training_index.load_index", lambda path: path)
    out = said(*words, "--set", "seed=1234", code=2)
    assert "try/v1" in out
    assert "was published with another recipe: fingerprint" in out
    assert "choose another name for the version" in out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("curate.near_film=0.5", "curate.near_film"),
        ("curate.caps.gout=3", "no pair shows 'gout'; findings there are: pneumothorax"),
        ("curate.thresholds.beauty=1", "no pair was scored by gate 'beauty'; scored were contrast"),
    ],
)
def test_a_rule_that_does_not_fit_is_one_message(said, change, told):
    out = said("curate", "--dry-run", "--set", change, code=2)
    assert told in out
    assert "Traceback" not in out


@pytest.mark.server
def test_the_flow_keeps_a_selection_named_after_its_rules(said, tmp_path):
    out = said("curate", "--explain", "--set", "curate.top={gate: contrast, share: 0.5}")
    store = open_store(str(tmp_path / "store"))
    assert [ref.name for ref in published(store)] == ["try"]
    (kept,) = list(store.list("selections/try/v1/"))
    assert kept.key.split("/")[3].startswith("rules-")
    assert kept.key.split("/")[3] in out
    assert "1 of 3 pairs kept" in out


def test_copies_are_indexed_measured_and_found_in_a_version(said, tmp_path):
    file = str(tmp_path / "memory.safetensors")
    words = ["--archive", "phantom:a/7/40", "--unseen", "phantom:a/7/900-940", "--index", file]
    out = said("privacy", "index", *words, "--canaries", "10", "--false-alarms", "0.05")
    assert "exact" in out
    assert "specificity" in out
    out = said("privacy", "audit", "--index", file)
    assert "3 of 3 accepted films of try/v1 agree with one of 40 archive films" in out
    assert "sensitivity to exact copies planted: 1" in out


def test_an_archive_or_an_index_that_is_not_there_is_one_message(said, tmp_path):
    assert "names no archive" in said("privacy", "index", "--archive", "mimic", code=2)
    assert "synth privacy index" in said("privacy", "audit", "--index", str(tmp_path / "none"), code=2)


@pytest.mark.parametrize("command", [["curate"], ["privacy", "index"], ["privacy", "audit"]])
def test_help_shows_commands_to_copy(command):
    out = CliRunner().invoke(app, [*command, "--help"]).output
    assert f"synth {' '.join(command)}" in out
