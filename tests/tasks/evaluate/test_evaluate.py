"""A run is evaluated on rendered films of hospital B, from the store and back into it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from models.phantom.archive import films
from models.phantom.hospital import HOSPITAL_B
from models.phantom.vocabulary import LABELS
from storage.canonical import canonical_json
from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.open import open_store
from storage.png import encode_png
from storage.records import Manifest, PairRow
from storage.shards import Sample, sample_of
from storage.versions import Version, VersionPlace
from tasks.curate.keep import write_selection
from tasks.curate.select import Choice, Selection
from tasks.evaluate.evaluate import ScoresConflict, evaluate_run, keep_scores, read_scores, scores_key
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import read_predictions
from tasks.evaluate.prompts import all_prompts
from tasks.evaluate.protocol import build_task
from tasks.evaluate.scores import RunScores
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.checkpoint import ensure_trained
from tasks.pretrain.runs import keep_trials
from tasks.recipe.base import KindSpec
from tasks.recipe.curation import Rules
from tasks.recipe.training import EvaluateSection, TrainSection

SECTION = EvaluateSection(bootstrap=50)
HELD_OUT = DatasetRef("hospital-b", "v1")


def sample(index: int, labels: dict[str, int] | None = None, patient: str | None = None) -> Sample:
    """A film of hospital B with its truth."""
    film = next(films(HOSPITAL_B, 5, [index], size=96))
    png = encode_png(film.image)
    truth = dict(zip(LABELS, map(int, film.labels), strict=True))
    row = PairRow(
        sample_id=f"b-{index:05d}", index=index, findings=film.findings_text, impression=film.impression_text,
        entities=[], mentions=[], labels=truth if labels is None else labels,
        report_seed=0, report_attempts=1, report_tokens=1, image_seed=0, image_attempts=1,
        png_sha256=hashlib.sha256(png).hexdigest(), gates=[], patient=patient,
    )  # fmt: skip
    return sample_of(row, png)


def publish(store: ObjectStore, ref: DatasetRef, samples: list[Sample]) -> None:
    shard = commit_shard(store, ref, 0, ShardContents(samples))
    manifest = Manifest(
        dataset=ref.name, version=ref.version, fingerprint="b", created=datetime(2026, 1, 1, tzinfo=UTC),
        asked=len(samples), accepted=len(samples), rejected=0, shards=[shard], models={}, rejected_by_gate={},
        entity_counts={},
    )  # fmt: skip
    write_manifest(store, ref, manifest)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    """A store with 40 films of hospital B and a run with one untrained arm and two seeds."""
    store = open_store(str(tmp_path_factory.mktemp("store")))
    publish(store, HELD_OUT, [sample(index) for index in range(40)])
    begin(store, "run", (0, 1))
    return store


def begin(store: ObjectStore, run: str, seeds: tuple[int, ...]) -> None:
    """A run of untrained models under the arm's name ``random``."""
    arm = Arm(name="random", mix=(), samples_seen=0, control="random")
    trials = [Trial(arm=arm, objective=KindSpec(kind="clip"), seed=seed) for seed in seeds]
    keep_trials(store, run, [(trial, ensure_trained(store, trial, TrainSection())[0]) for trial in trials])


@pytest.fixture
def test(store: ObjectStore) -> LabelledSet:
    return LabelledSet(Version.open(store, HELD_OUT))


@pytest.fixture
def scores(store: ObjectStore, test: LabelledSet) -> RunScores:
    return evaluate_run(store, "run", EvaluationData(test), SECTION)


@pytest.fixture
def no_more_work(scores: RunScores, monkeypatch: pytest.MonkeyPatch) -> RunScores:
    """From here on no image is read and no model is loaded."""
    monkeypatch.setattr(LabelledSet, "blocks", lambda *_: pytest.fail("images were read again"))
    monkeypatch.setattr("tasks.evaluate.evaluate.stored_model", lambda *_: pytest.fail("a model was loaded again"))
    return scores


def test_labels_and_images_come_in_the_order_of_the_rows(test: LabelledSet) -> None:
    truth = [film.labels for film in films(HOSPITAL_B, 5, range(40), size=96)]
    assert test.images(96).shape == (40, 96, 96)
    assert all(one is other for one, other in zip(test.blocks(96), test.blocks(96), strict=True))
    assert (test.truth(LABELS) == np.stack(truth)).all()
    assert test.ids()[:2] == ("b-00000", "b-00001")


def test_the_tables_are_kept_and_asking_again_scores_nothing(
    store: ObjectStore, test: LabelledSet, no_more_work: RunScores
) -> None:
    table = no_more_work.tables[0]
    assert RunScores.model_validate_json(store.get(scores_key("run"))) == no_more_work
    assert (table.task, table.metric, table.dataset) == ("zero_shot", "AUROC", "hospital-b/v1")
    assert table.of("random").films == 40
    assert table.of("random").seeds == (0, 1)
    assert 0.25 < table.of("random", 0).macro < 0.75
    assert table.of("random").macro == pytest.approx((table.of("random", 0).macro + table.of("random", 1).macro) / 2)
    assert evaluate_run(store, "run", EvaluationData(test), SECTION) == no_more_work


@pytest.mark.parametrize(
    "change",
    [
        {"bootstrap": 30},
        {"confidence": 0.8},
        {"uncertain": "ignore"},
        {"comparisons": ()},
    ],
)
def test_what_changes_scores_alone_asks_no_model_again(
    store: ObjectStore, test: LabelledSet, no_more_work: RunScores, change: dict[str, object]
) -> None:
    run = f"run-{next(iter(change))}"
    begin(store, run, (0, 1))
    again = evaluate_run(store, run, EvaluationData(test), SECTION.model_copy(update=change))
    assert again.predictions == no_more_work.predictions
    assert again.tables[0].of("random").macro == no_more_work.tables[0].of("random").macro


def test_another_choice_of_arms_and_seeds_asks_no_model_again(
    store: ObjectStore, test: LabelledSet, no_more_work: RunScores
) -> None:
    begin(store, "fewer", (1,))
    again = evaluate_run(store, "fewer", EvaluationData(test), SECTION)
    assert again.tables[0].of("random").macro == no_more_work.tables[0].of("random", 1).macro


def test_predictions_say_of_each_image_and_label_what_is_true(store: ObjectStore, scores: RunScores) -> None:
    ((_, keys),) = scores.predictions.items()
    assert len(keys) == 2
    found = read_predictions(store, keys[0])
    assert found.labels == LABELS
    assert found.films[:2] == ("b-00000", "b-00001")
    assert (found.truth == [film.labels for film in films(HOSPITAL_B, 5, range(40), size=96)]).all()


def test_patients_of_the_test_set_are_kept_with_predictions_and_resampled(store: ObjectStore) -> None:
    ref = DatasetRef("patients", "v1")
    publish(store, ref, [sample(at, patient=f"p{at // 4}" if at < 20 else None) for at in range(24)])
    begin(store, "patients", (0,))
    scores = evaluate_run(store, "patients", EvaluationData(LabelledSet(Version.open(store, ref))), SECTION)
    ((key,),) = scores.predictions.values()
    assert read_predictions(store, key).patients == (*(f"p{at // 4}" for at in range(20)), *[None] * 4)
    table = scores.tables[0]
    assert (table.unit, table.patients) == ("patient", 5)
    assert table.of("random").low_film is not None


def test_a_test_set_without_patients_is_resampled_by_film(scores: RunScores) -> None:
    assert (scores.tables[0].unit, scores.tables[0].patients) == ("film", None)
    assert scores.tables[0].of("random").low_film is None


def test_the_default_task_finds_the_predictions_of_version_0_2(test: LabelledSet) -> None:
    task = build_task(KindSpec(kind="zero_shot"))
    prompts = hashlib.sha256(canonical_json([asdict(item) for item in all_prompts()]).encode()).hexdigest()
    assert task.identity(test.version.manifest) == {"scoring": 1, "prompts": prompts}


def test_prompt_sets_and_rules_are_tasks_of_their_own_with_the_spread_between_them(
    store: ObjectStore, test: LabelledSet
) -> None:
    options: list[dict[str, str]] = [{}, {"prompts": "label", "rule": "pair"}, {"prompts": "caption", "rule": "max"}]
    section = SECTION.model_copy(update={"tasks": tuple(KindSpec(kind="zero_shot", options=one) for one in options)})
    begin(store, "spread", (0,))
    scores = evaluate_run(store, "spread", EvaluationData(test), section)
    names = ["zero_shot", "zero_shot-label-pair", "zero_shot-caption-max"]
    assert [table.name for table in scores.tables] == names
    assert len(scores.predictions) == 3
    (spread,) = scores.spreads
    assert spread.macros == {table.name: table.of("random").macro for table in scores.tables}
    assert len(set(spread.macros.values())) == 3, "the ways to ask must differ"
    assert "prompts label, rule pair" in scores.tables[1].protocol


def test_an_arm_that_learns_nothing_has_no_groups_and_the_reason_is_kept(scores: RunScores) -> None:
    arm = scores.tables[0].of("random")
    assert (arm.groups, arm.ungrouped) == ({}, "nothing was trained")


def test_other_scores_of_the_same_run_are_refused(store: ObjectStore, scores: RunScores) -> None:
    table = scores.tables[0]
    better = table.model_copy(update={"scores": [table.scores[0].model_copy(update={"macro": 0.99})]})
    with pytest.raises(ScoresConflict, match="run 'run'"):
        keep_scores(store, scores.model_copy(update={"tables": [better]}))
    assert keep_scores(store, scores) == read_scores(store, "run")


def test_a_run_without_checkpoints_is_named(store: ObjectStore, test: LabelledSet) -> None:
    with pytest.raises(ObjectMissing, match=r"runs/nothing/trials\.json is missing: pretrain first"):
        evaluate_run(store, "nothing", EvaluationData(test), SECTION)


def test_a_checkpoint_of_another_model_is_named(store: ObjectStore, test: LabelledSet, monkeypatch: Any) -> None:
    begin(store, "odd", (3,))
    monkeypatch.setattr("tasks.evaluate.trained.read_weights", lambda *_: b"junk")
    with pytest.raises(CorruptShard, match=r"000000\.safetensors: .*remove it and pretrain again"):
        evaluate_run(store, "odd", EvaluationData(test), SECTION)


def test_only_findings_that_the_test_set_labels_are_asked_for(store: ObjectStore) -> None:
    ref = DatasetRef("few-labels", "v1")
    publish(store, ref, [sample(at, labels={"pleural effusion": at % 2}) for at in range(4)])
    begin(store, "few", (0,))
    table = evaluate_run(store, "few", EvaluationData(LabelledSet(Version.open(store, ref))), SECTION).tables[0]
    assert list(table.of("random").per_label) == ["pleural effusion"]


def test_a_dataset_without_labels_cannot_be_a_test_set(store: ObjectStore) -> None:
    ref = DatasetRef("unlabelled", "v1")
    publish(store, ref, [sample(0, labels={})])
    begin(store, "unlabelled", (0,))
    with pytest.raises(CannotScore, match="unlabelled/v1 has no labels, which task zero_shot needs"):
        evaluate_run(store, "unlabelled", EvaluationData(LabelledSet(Version.open(store, ref))), SECTION)


def test_a_label_that_the_label_set_does_not_know_is_named(store: ObjectStore) -> None:
    ref = DatasetRef("odd-labels", "v1")
    publish(store, ref, [sample(0, labels={"something else": 1})])
    begin(store, "odd-labels", (0,))
    with pytest.raises(CannotScore, match="dataset odd-labels/v1: label set phantom has no 'something else'"):
        evaluate_run(store, "odd-labels", EvaluationData(LabelledSet(Version.open(store, ref))), SECTION)


def test_a_row_may_spell_a_label_in_another_way(store: ObjectStore) -> None:
    ref = DatasetRef("spelt", "v1")
    publish(store, ref, [sample(at, labels={("Pleural_Effusion", "pleural effusion")[at]: at}) for at in range(2)])
    assert LabelledSet(Version.open(store, ref)).truth(["pleural effusion"]).tolist() == [[0.0], [1.0]]


def test_a_label_that_some_rows_do_not_state_is_uncertain(store: ObjectStore) -> None:
    ref = DatasetRef("gaps", "v1")
    rows: list[dict[str, int]] = [{"pleural effusion": 1, "lung nodule": 0}, {"pleural effusion": 0}]
    publish(store, ref, [sample(at, labels=rows[at % 2]) for at in range(4)])
    begin(store, "gaps", (0,))
    with pytest.raises(CannotScore, match=r"labels of 'lung nodule'.* are uncertain: set evaluate\.uncertain"):
        evaluate_run(store, "gaps", EvaluationData(LabelledSet(Version.open(store, ref))), SECTION)


def test_a_dataset_without_images_is_refused(store: ObjectStore) -> None:
    publish(store, DatasetRef("empty", "v1"), [])
    with pytest.raises(CannotScore, match="empty/v1 holds no images"):
        LabelledSet(Version.open(store, DatasetRef("empty", "v1"))).rows()


def test_more_images_than_are_kept_are_read_anew(test: LabelledSet) -> None:
    tight = LabelledSet(test.version, most=96 * 96 * 39)
    assert (tight.images(96) == test.images(96)).all()
    assert not any(one is other for one, other in zip(tight.blocks(96), tight.blocks(96), strict=True))


def test_a_selection_limits_a_test_set_and_is_another_question(store: ObjectStore, test: LabelledSet) -> None:
    choices = [Choice(sample_id=sample, kept=at % 2 == 0, reason="") for at, sample in enumerate(test.ids())]
    write_selection(VersionPlace(store, HELD_OUT), "half", Selection(rules=Rules(), choices=choices))
    half = LabelledSet(Version.open(store, HELD_OUT), "half")
    assert len(half.ids()) == 20
    assert (half.images(96) == test.images(96)[::2]).all()
    assert half.identity() != test.identity()
