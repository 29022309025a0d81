"""Which objects are the project's, and which are others' that lie among them."""

from __future__ import annotations

import pytest

from storage.layout import (
    DatasetRef,
    checkpoint_identity,
    checkpoint_key,
    embedding_key,
    foreign,
    measure_key,
    model_identity,
    model_prediction_key,
    prediction_key,
    printable,
    run_key,
    selection_key,
    split_checkpoint,
    split_prediction,
    split_selection,
    split_tag,
    split_version,
    tag_key,
    trial_key,
)

REF = DatasetRef("films", "v-1")
TRIAL = "0123456789abcdef" * 4
OURS = (
    REF.recipe, REF.manifest, REF.reports(0), REF.pairs(99999), REF.index(100000), REF.rejects(7),
    REF.card("README.md"), selection_key(REF, "default", "selection.parquet"), tag_key("films", "latest", 3),
    measure_key(REF, "near", "image.parquet"), run_key("films-v-1-a", "scores.json"),
    run_key("films-v-1-a", "real/checkpoint.safetensors"), run_key("films-v-1-a", "real/config.json"),
    run_key("films-v-1-a", "trials.json"), checkpoint_key(TRIAL, 0), checkpoint_key(TRIAL, 1_234_567),
    trial_key(TRIAL),
    f"checkpoints/{TRIAL}/000400.state.safetensors", prediction_key(TRIAL, 384, REF, "0123456789abcdef"),
    model_prediction_key(TRIAL, REF, "0123456789abcdef"),
    embedding_key(checkpoint_identity(TRIAL, 384), REF, "0123456789abcdef"),
    embedding_key(model_identity(TRIAL), REF, "0123456789abcdef"),
)  # fmt: skip
OTHERS = (
    "datasets/", "datasets/films/", "datasets/films/v-1/", "datasets/films/v-1/pairs/", "datasets/.cache/v1/x",
    "datasets/.DS_Store", REF.key(".DS_Store"), REF.key("pairs/.nfs0001"), REF.key("pairs/._00000.tar"),
    REF.key("pairs/1.tar"), REF.key("pairs/000001.tar"), REF.key("pairs/00001.tar.bak"), REF.key("card/Thumbs.db"),
    REF.key("card/desktop.ini"), REF.key("manifest.json/x"), "datasets/a b/v-1/recipe.yaml",
    "tags/", "tags/films/latest/", "tags/films/latest/.DS_Store", "tags/films/latest/3.json",
    "tags/films/latest/²00001.json", "tags/films/latest/000001.json.swp", "tags/.x/latest/000001.json",
    "selections/films/v-1/default/", "selections/films/v-1/default/._selection.parquet", "selections/notes",
    "measures/.DS_Store", "measures/films/v-1/", "runs/r/Thumbs.db", "runs/r/a/._checkpoint.safetensors", "runs/",
    "checkpoints/notes", f"checkpoints/{TRIAL}/1.safetensors", f"checkpoints/{TRIAL}/._trial.json",
    f"checkpoints/{TRIAL[:-1]}/trial.json", f"predictions/{TRIAL}/films/v-1/0123456789abcdef.parquet",
    f"predictions/{TRIAL}-000384/films/v-1/.DS_Store",
)  # fmt: skip


@pytest.mark.parametrize("key", OURS)
def test_what_the_project_writes_is_its_own(key: str) -> None:
    assert not foreign(key)


@pytest.mark.parametrize("key", OTHERS)
def test_what_others_leave_is_foreign(key: str) -> None:
    assert foreign(key)


def test_what_is_outside_the_projects_folders_is_nobodys_concern() -> None:
    assert not foreign("mlflow/1/artifact.png")


def test_keys_are_taken_apart() -> None:
    assert split_version(REF.index(12)) == (REF, "pairs/00012.parquet")
    assert split_tag("tags/films/latest/1000000.json") == ("films", "latest", 1_000_000)
    assert split_selection("selections/films/v-1/best/selection.parquet") == (REF, "best")
    assert split_checkpoint(checkpoint_key(TRIAL, 384)) == (TRIAL, 384)
    assert split_checkpoint(trial_key(TRIAL)) == (TRIAL, None)
    assert split_prediction(prediction_key(TRIAL, 384, REF, "0123456789abcdef")) == (TRIAL, 384, REF)
    assert split_prediction(model_prediction_key(TRIAL, REF, "0123456789abcdef")) == (TRIAL, None, REF)
    embedded = embedding_key(checkpoint_identity(TRIAL, 384), REF, "0123456789abcdef")
    assert split_prediction(embedded) == (TRIAL, 384, REF)


def test_a_name_that_is_no_text_can_be_printed() -> None:
    assert printable("tags/\udcff") == r"tags/\udcff"
