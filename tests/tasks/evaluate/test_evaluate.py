"""A run is evaluated on rendered films of hospital B, from the store and back into it."""

import hashlib
from datetime import UTC, datetime

import numpy as np
import pytest

from models.phantom.archive import films
from models.phantom.hospital import HOSPITAL_B
from models.phantom.vocabulary import LABELS
from models.vlp.model import DEFAULT
from storage.layout import DatasetRef
from storage.ledger import commit_shard
from storage.manifest import write_manifest
from storage.objects import ObjectStore, open_store
from storage.png import encode_png
from storage.records import Manifest, PairRow
from storage.shards import Sample, sample_of
from tasks.evaluate.evaluate import ScoresConflict, evaluate_run, keep_scores, load_labelled, scores_key
from tasks.evaluate.scores import ScoreTable
from tasks.pretrain.arms import Arm
from tasks.pretrain.checkpoint import ensure_trained
from tasks.recipe.schema import EvaluateSection, TrainSection

SECTION = EvaluateSection(bootstrap=50)
HELD_OUT = DatasetRef("hospital-b", "v1")


def sample(index: int, labels: dict[str, int] | None = None) -> Sample:
    """A film of hospital B with its truth."""
    film = next(films(HOSPITAL_B, 5, [index], size=96))
    png = encode_png(film.image)
    truth = dict(zip(LABELS, map(int, film.labels), strict=True))
    row = PairRow(
        sample_id=f"b-{index:05d}", index=index, findings=film.findings_text, impression=film.impression_text,
        entities=[], mentions=[], labels=truth if labels is None else labels,
        report_seed=0, report_attempts=1, report_tokens=1, image_seed=0, image_attempts=1,
        png_sha256=hashlib.sha256(png).hexdigest(), gates=[],
    )  # fmt: skip
    return sample_of(row, png)


def publish(store: ObjectStore, ref: DatasetRef, samples: list[Sample]) -> None:
    shard = commit_shard(store, ref, 0, pairs=samples, rejects=[], seconds={}, counts={})
    manifest = Manifest(
        dataset=ref.name, version=ref.version, fingerprint="b", created=datetime(2026, 1, 1, tzinfo=UTC),
        asked=len(samples), accepted=len(samples), rejected=0, shards=[shard], models={}, rejected_by_gate={},
        entity_counts={},
    )  # fmt: skip
    write_manifest(store, ref, manifest)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    """A store with 40 films of hospital B and a run with one untrained arm."""
    store = open_store(str(tmp_path_factory.mktemp("store")))
    publish(store, HELD_OUT, [sample(index) for index in range(40)])
    arm = Arm(name="random", sources=(), samples_seen=0, trained=False)
    ensure_trained(store, "run", arm, TrainSection(), seed=0)
    return store


def test_labels_and_films_come_back_in_the_order_of_the_findings(store):
    held = load_labelled(store, HELD_OUT, 96)
    truth = [film.labels for film in films(HOSPITAL_B, 5, range(40), size=96)]
    assert held.films.shape == (40, 96, 96)
    assert held.findings == LABELS
    assert (held.labels == np.stack(truth)).all()


def test_the_table_is_kept_and_asking_again_scores_nothing(store, monkeypatch):
    table = evaluate_run(store, "run", ["random"], HELD_OUT, SECTION, model=DEFAULT)
    monkeypatch.setattr("tasks.evaluate.evaluate.load_labelled", lambda *_: pytest.fail("films were read again"))
    assert ScoreTable.model_validate_json(store.get(scores_key("run"))) == table
    assert table.of("random").films == 40
    assert 0.25 < table.of("random").macro < 0.75
    assert evaluate_run(store, "run", ["random"], HELD_OUT, SECTION, model=DEFAULT) == table


def test_other_scores_of_the_same_run_are_refused(store):
    table = evaluate_run(store, "run", ["random"], HELD_OUT, SECTION, model=DEFAULT)
    better = table.model_copy(update={"scores": [table.scores[0].model_copy(update={"macro": 0.99})]})
    with pytest.raises(ScoresConflict, match="run 'run'"):
        keep_scores(store, "run", better)


def test_an_arm_without_a_checkpoint_is_named(store):
    with pytest.raises(ValueError, match="pretrain arm 'mixed' first"):
        evaluate_run(store, "run", ["random", "mixed"], HELD_OUT, SECTION, model=DEFAULT)


def test_a_dataset_without_labels_cannot_be_a_test_set(store):
    publish(store, DatasetRef("unlabelled", "v1"), [sample(0, labels={"pleural effusion": 1})])
    with pytest.raises(ValueError, match="b-00000 of unlabelled/v1 has no label for 'consolidation'"):
        load_labelled(store, DatasetRef("unlabelled", "v1"), 96)


def test_a_dataset_without_films_is_refused(store):
    publish(store, DatasetRef("empty", "v1"), [])
    with pytest.raises(ValueError, match="empty/v1 holds no films"):
        load_labelled(store, DatasetRef("empty", "v1"), 96)
