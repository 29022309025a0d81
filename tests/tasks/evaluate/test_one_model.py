"""One model is examined with some tasks; its predictions stay in the store, whatever a later task does."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.contracts import ModelNotFound
from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef, split_prediction
from storage.local import LocalStore
from storage.open import open_store
from storage.records import PairRow
from storage.shards import Sample, sample_of
from storage.versions import Version
from tasks.evaluate.find_model import find_model
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.one_model import evaluate_model
from tasks.evaluate.prompts import prompts_for
from tasks.evaluate.task_files import find_task
from tasks.evaluate.trained import trained_model
from tasks.evaluate.zero_shot import zero_shot
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.checkpoint import Checkpoint, ensure_trained
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection, TrainSection
from tests.models.vlp.made_up import open_clip_folder
from tests.tasks.pretrain.conftest import publish, toy_samples

SECTION = EvaluateSection(bootstrap=20, device="cpu")
TASKS = [find_task(name) for name in ("zero-shot-label-pair", "retrieval", "grounding-pointing")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    store = open_store(str(tmp_path_factory.mktemp("store")))
    assert isinstance(store, LocalStore)
    publish(store, "toy", labelled("toy", 3))
    return store


@pytest.fixture(scope="module")
def trained(store: LocalStore) -> Checkpoint:
    trial = Trial(
        arm=Arm(name="random", mix=(), samples_seen=0, control="random"), objective=KindSpec(kind="clip"), seed=0
    )
    return ensure_trained(store, trial, TrainSection())[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_clip_folder(tmp_path_factory.mktemp("model"))


def labelled(name: str, seed: int) -> list[Sample]:
    """Toy films with the two labels that the default label set knows."""
    known = ("lung nodule", "cardiomegaly")
    return [
        sample_of(
            PairRow.model_validate({**one.json, "labels": {label: one.json["labels"][label] for label in known}}),
            one.png,
        )
        for one in toy_samples(name, 24, seed)
    ]


def held_out(store: LocalStore, name: str) -> EvaluationData:
    return EvaluationData(LabelledSet(Version.open(store, DatasetRef(name, "v1"))))


def test_a_task_that_cannot_be_scored_leaves_the_others(
    store: LocalStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, found = held_out(store, "toy"), find_model(store, str(folder))
    scores = evaluate_model(store, found, test, TASKS, SECTION)
    assert list(scores.tables) == ["zero-shot-label-pair", "retrieval"]
    assert list(scores.failures) == ["grounding-pointing"]
    assert "has no boxes or masks, which task grounding needs" in scores.failures["grounding-pointing"]
    table = scores.tables["zero-shot-label-pair"]
    assert (table.task, table.task_version, len(table.task_hash)) == ("zero_shot", 1, 16)
    key = scores.predictions["zero-shot-label-pair"]
    assert split_prediction(key) == (found.identity, None, DatasetRef("toy", "v1"))
    monkeypatch.setattr(LabelledSet, "blocks", lambda *_: pytest.fail("images were read again"))
    assert evaluate_model(
        store, find_model(store, str(folder)), held_out(store, "toy"), TASKS[:2], SECTION
    ).tables == {name: scores.tables[name] for name in ("zero-shot-label-pair", "retrieval")}


def test_a_trial_is_found_by_the_beginning_of_its_fingerprint(store: LocalStore, trained: Checkpoint) -> None:
    found = find_model(store, trained.fingerprint[:8])
    assert (found.kind, found.identity) == ("trial", trained.fingerprint)
    scores = evaluate_model(store, found, held_out(store, "toy"), TASKS[:1], SECTION)
    assert scores.predictions["zero-shot-label-pair"].startswith(f"predictions/{trained.fingerprint}-000000/toy/v1/")
    with pytest.raises(ObjectMissing, match="no trial begins with 000000abcdef: `synth pretrain`"):
        find_model(store, "000000abcdef")


@pytest.mark.parametrize("kind", ["trial", "file", "published"])
def test_a_further_task_reads_no_image_again(
    store: LocalStore, trained: Checkpoint, folder: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "of ours.safetensors"
    file.write_bytes(store.get(trained.key))
    found = find_model(store, {"trial": trained.fingerprint, "file": str(file), "published": str(folder)}[kind])
    first, further = find_task("zero-shot-label-pair"), find_task("zero-shot-report-max")
    evaluate_model(store, found, held_out(store, "toy"), [first], SECTION)
    monkeypatch.setattr(LabelledSet, "blocks", lambda *_: pytest.fail("images were read again"))
    assert evaluate_model(store, found, held_out(store, "toy"), [further], SECTION).failures == {}


def test_a_file_of_ours_predicts_as_its_trial(store: LocalStore, trained: Checkpoint, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(store.get(trained.key))
    found, trial = find_model(store, str(copy)), find_model(store, trained.fingerprint)
    assert found.kind == "file"
    assert found.identity != trial.identity
    films = held_out(store, "toy").test.images(96)[:4]
    prompts = prompts_for(labels=["cardiomegaly"])
    models = (each.load("cpu") for each in (found, trial))
    first, second = (zero_shot(model, model.embed_images(films), prompts) for model in models)
    np.testing.assert_array_equal(first, second)


def test_files_that_are_no_checkpoint_of_ours_are_told(
    store: LocalStore, trained: Checkpoint, folder: Path, tmp_path: Path
) -> None:
    whole = store.get(trained.key)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[:-50])
    with pytest.raises(CorruptShard, match=r"cut\.safetensors: .*no weights of 'synthcxr-tiny'"):
        find_model(store, str(cut)).load("cpu")
    other = tmp_path / "other.safetensors"
    shutil.copy(folder / "open_clip_model.safetensors", other)
    with pytest.raises(CorruptShard, match=r"other\.safetensors is not a checkpoint written by this project"):
        find_model(store, str(other))
    with pytest.raises(ModelNotFound, match="there is no model 'nothing'"):
        find_model(store, "nothing")


def test_a_checkpoint_of_another_tower_is_told_in_one_line(store: LocalStore, trained: Checkpoint) -> None:
    other = trained.model_copy(update={"pretrain": {**trained.pretrain, "model": "RN50"}})
    with pytest.raises(CorruptShard, match=r"no weights of 'RN50': \d+ weights are missing \(such as") as raised:
        trained_model(store.get(trained.key), other, "somewhere", "cpu")
    assert "\n" not in str(raised.value)


def test_a_film_that_cannot_be_decoded_is_named_and_what_was_scored_is_kept(store: LocalStore, folder: Path) -> None:
    samples = labelled("odd", 4)
    cut = samples[5].png[:60]
    row = {**samples[5].json, "png_sha256": hashlib.sha256(cut).hexdigest()}
    samples[5] = sample_of(PairRow.model_validate(row), cut)
    publish(store, "odd", samples)
    found = find_model(store, str(folder))
    scores = evaluate_model(store, found, held_out(store, "odd"), TASKS[:2], SECTION)
    assert scores.tables == {}
    assert all("odd-00005" in line and "\n" not in line for line in scores.failures.values())
    assert set(scores.failures) == {"zero-shot-label-pair", "retrieval"}
    kept = evaluate_model(store, found, held_out(store, "toy"), TASKS[:1], SECTION)
    assert kept.failures == {}
