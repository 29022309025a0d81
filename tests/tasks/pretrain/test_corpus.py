"""A corpus is drawn at random but reproducibly, and its batches do not depend on where its images wait."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.versions import VersionPlace
from tasks.curate.keep import write_selection
from tasks.curate.select import Choice, Selection
from tasks.pretrain.arms import Arm, Draw, kept_pairs
from tasks.pretrain.corpus import Batch, Batches, batches, derangement, load_corpus
from tasks.pretrain.images import ImageCache
from tasks.recipe.curation import Rules
from tasks.recipe.training import TrainSection


def arm(*draws: Draw, pairs: int = 40, **more: object) -> Arm:
    taken = tuple(draw.model_copy(update={"pairs": pairs}) for draw in draws)
    return Arm.model_validate({"name": "test", "mix": taken, "samples_seen": 64, **more})


def same(one: Batch, other: Batch) -> bool:
    return (one.samples, one.texts) == (other.samples, other.texts) and np.array_equal(one.images, other.images)


def test_the_draw_depends_on_the_seed_and_not_on_the_shards(
    store: ObjectStore, real: Draw, section: TrainSection
) -> None:
    once = load_corpus(store, arm(real), section, seed=0)
    assert load_corpus(store, arm(real), section, seed=0).samples == once.samples
    assert set(load_corpus(store, arm(real), section, seed=1).samples) != set(once.samples)
    assert len(set(once.samples)) == 40


def test_a_smaller_arm_is_part_of_a_larger_one(store: ObjectStore, real: Draw, section: TrainSection) -> None:
    small = set(load_corpus(store, arm(real, pairs=20), section, seed=0).samples)
    assert small < set(load_corpus(store, arm(real, pairs=40), section, seed=0).samples)


def test_batches_repeat_exactly_and_visit_every_pair_once_per_epoch(
    store: ObjectStore, real: Draw, section: TrainSection
) -> None:
    corpus = load_corpus(store, arm(real), section, seed=0)
    first, second = (list(islice(batches(corpus, 8, seed=0), 5)) for _ in range(2))
    assert all(map(same, first, second))
    assert sorted(sample for batch in first for sample in batch.samples) == sorted(corpus.samples)


def test_each_pair_keeps_its_text_and_image(store: ObjectStore, real: Draw, section: TrainSection) -> None:
    corpus = load_corpus(store, arm(real), section, seed=0)
    assert corpus.images is not None
    place = {sample: at for at, sample in enumerate(corpus.samples)}
    for batch in islice(batches(corpus, 8, seed=0), 7):
        for sample, image, text in zip(batch.samples, batch.images, batch.texts, strict=True):
            assert (corpus.images[place[sample]] == image).all()
            report = corpus.reports[place[sample]]
            assert all(part in " ".join((*report.findings, *report.impression)) for part in text.split(". "))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.integers(2, 60),
    megabytes=st.sampled_from([1, 256]),
    size=st.integers(4, 24),
    seed=st.integers(0, 3),
    block=st.sampled_from([3, 16, 64, 2048]),
    first=st.integers(0, 12),
    control=st.sampled_from(["none", "shuffled"]),
    schedule=st.sampled_from(["mix", "then"]),
)
def test_held_and_streamed_pairs_come_in_the_same_batches(
    store: ObjectStore, real: Draw, synthetic: Draw, section: TrainSection, monkeypatch: pytest.MonkeyPatch,
    pairs: int, megabytes: int, size: int, seed: int, block: int, first: int, control: str, schedule: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("tasks.pretrain.corpus.BLOCK", block)
    asked = arm(real, synthetic, pairs=pairs, control=control, schedule=schedule)
    held = load_corpus(store, asked, section, seed, ImageCache(256))
    other = load_corpus(store, asked, section, seed, ImageCache(megabytes if megabytes > 1 else 0))
    assert held.images is not None
    assert (other.images is None) == (megabytes == 1)
    half = slice(0, size // 2)
    one, two, part = Batches(held, size, seed), Batches(other, size, seed), Batches(other, size, seed, half)
    for step in (first, first + 1, 0, first + 2):
        expected = one.at(step)
        assert same(expected, two.at(step)), step
        assert (expected.images[half] == part.at(step).images).all(), step


def test_an_arm_too_large_for_the_cache_is_streamed(
    store: ObjectStore, real: Draw, synthetic: Draw, section: TrainSection
) -> None:
    tight = section.model_copy(update={"cache_megabytes": 0})
    streamed = load_corpus(store, arm(real, synthetic), tight, seed=0)
    assert streamed.images is None
    seen = list(islice(batches(streamed, 8, seed=0), 10))
    assert sorted(sample for batch in seen for sample in batch.samples) == sorted(streamed.samples)
    assert {sample.split("/")[0] for sample in seen[0].samples} == {"toy-real", "toy-synthetic"}


def test_one_source_after_the_other_is_seen_for_its_part_of_the_compute(
    store: ObjectStore, real: Draw, synthetic: Draw, section: TrainSection
) -> None:
    asked = Arm(
        name="then",
        mix=(synthetic.model_copy(update={"pairs": 30}), real.model_copy(update={"pairs": 10})),
        samples_seen=64,
        schedule="then",
    )
    seen = list(islice(batches(load_corpus(store, asked, section, seed=0), 16, seed=0), 6))
    names = [{sample.split("/")[0] for sample in batch.samples} for batch in seen]
    assert names == [{"toy-synthetic"}] * 3 + [{"toy-real"}] * 3


@pytest.mark.parametrize("text", ["report", "impression", "findings"])
def test_an_arm_reads_the_part_of_a_report_that_it_asks_for(
    store: ObjectStore, real: Draw, section: TrainSection, text: str
) -> None:
    corpus = load_corpus(store, arm(real, text=text), section, seed=0)
    batch = next(batches(corpus, 8, seed=0))
    report = corpus.reports[corpus.samples.index(batch.samples[0])]
    parts = {"report": (*report.findings, *report.impression), "impression": report.impression,
             "findings": report.findings}  # fmt: skip
    assert batch.texts[0] == " ".join(parts[text])


def test_a_shuffled_control_leaves_no_report_with_its_image(
    store: ObjectStore, real: Draw, section: TrainSection
) -> None:
    corpus = load_corpus(store, arm(real, control="shuffled"), section, seed=0)
    assert (corpus.report_of != np.arange(40)).all()
    assert sorted(corpus.report_of) == list(range(40))


@pytest.mark.parametrize("n", [2, 3, 50])
def test_a_derangement_moves_everything(n: int) -> None:
    moved = derangement(n, seed=0)
    assert sorted(moved) == list(range(n))
    assert (moved != np.arange(n)).all()


def test_one_pair_cannot_be_shuffled() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        derangement(1, seed=0)


def choose(store: ObjectStore, name: str, kept: int) -> Selection:
    choices = [
        Choice(sample_id=f"real-{at:05d}", kept=at < kept, reason="" if at < kept else "test") for at in range(96)
    ]
    return write_selection(
        VersionPlace(store, DatasetRef("toy-real", "v1")), name, Selection(rules=Rules(), choices=choices)
    )


def test_a_selection_limits_what_is_drawn(store: ObjectStore, real: Draw, section: TrainSection) -> None:
    kept = {f"real-{at:05d}" for at in range(12)}
    selected = kept_pairs(real, "twelve", choose(store, "twelve", 12).kept)
    assert {s.rpartition("/")[2] for s in load_corpus(store, arm(selected, pairs=12), section, 0).samples} == kept
    with pytest.raises(ValueError, match="offers 12 pairs, but the arm takes 13"):
        load_corpus(store, arm(selected, pairs=13), section, seed=0)
    nowhere = real.model_copy(update={"selection": "nowhere"})
    with pytest.raises(ObjectMissing, match="nowhere"):
        load_corpus(store, arm(nowhere), section, seed=0)


def test_a_selection_that_keeps_other_pairs_now_is_refused(
    store: ObjectStore, real: Draw, section: TrainSection
) -> None:
    choose(store, "fourteen", 14)
    planned = kept_pairs(real, "fourteen", [f"real-{at:05d}" for at in range(15)])
    with pytest.raises(ValueError, match="keeps other pairs than when the arm was planned"):
        load_corpus(store, arm(planned, pairs=8), section, seed=0)


def test_another_dataset_under_the_same_name_is_refused(store: ObjectStore, real: Draw, section: TrainSection) -> None:
    with pytest.raises(ValueError, match="plan the arms again"):
        load_corpus(store, arm(real.model_copy(update={"fingerprint": "older"})), section, seed=0)


@pytest.mark.parametrize("megabytes", [0, 256])
def test_a_damaged_shard_is_named(
    tmp_path: Path, store: LocalStore, real: Draw, section: TrainSection, megabytes: int
) -> None:
    shutil.copytree(store.root, tmp_path / "copy")
    copy = LocalStore(tmp_path / "copy")
    (key,) = (info.key for info in store.list("datasets/toy-real/") if info.key.endswith("00001.tar"))
    copy.put(key, copy.get(key)[:20_000], create_only=False)
    with pytest.raises(CorruptShard, match=r"00001\.tar"):
        next(batches(load_corpus(copy, arm(real), section, 0, ImageCache(megabytes)), 8, 0))
