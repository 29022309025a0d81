"""A corpus is drawn at random but reproducibly, and streamed where it does not fit."""

from itertools import islice

import numpy as np
import pytest

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef
from storage.objects import open_store
from tasks.curate.keep import write_selection
from tasks.curate.select import Choice, Selection
from tasks.pretrain.arms import Arm
from tasks.pretrain.corpus import batches, derangement, load_corpus
from tasks.recipe.curation import Rules


def arm(*sources, pairs=40, shuffled=False) -> Arm:
    taken = tuple(source.model_copy(update={"pairs": pairs}) for source in sources)
    return Arm(name="test", mix=taken, samples_seen=64, control="shuffled" if shuffled else "none")


def test_the_draw_depends_on_the_seed_and_not_on_the_shards(store, real, section):
    once = load_corpus(store, arm(real), section, seed=0)
    assert load_corpus(store, arm(real), section, seed=0).samples == once.samples
    assert set(load_corpus(store, arm(real), section, seed=1).samples) != set(once.samples)
    assert len(set(once.samples)) == 40


def test_a_smaller_arm_is_part_of_a_larger_one(store, real, section):
    small = set(load_corpus(store, arm(real, pairs=20), section, seed=0).samples)
    assert small < set(load_corpus(store, arm(real, pairs=40), section, seed=0).samples)


def test_batches_repeat_exactly_and_visit_every_pair_once_per_epoch(store, real, section):
    corpus = load_corpus(store, arm(real), section, seed=0)
    first, second = (list(islice(batches(corpus, 8, seed=3), 5)) for _ in range(2))
    assert [batch.texts for batch in first] == [batch.texts for batch in second]
    assert all((a.films == b.films).all() for a, b in zip(first, second, strict=True))
    assert sorted(sample for batch in first for sample in batch.samples) == sorted(corpus.samples)


def test_a_corpus_too_large_for_memory_streams_the_same_films(store, real, synthetic, section):
    tight = section.model_copy(update={"cache_megabytes": 0})
    held = load_corpus(store, arm(real, synthetic), section, seed=0)
    streamed = load_corpus(store, arm(real, synthetic), tight, seed=0)
    assert streamed.films is None
    assert held.films is not None
    known = dict(zip(held.samples, held.films, strict=True))
    seen = list(islice(batches(streamed, 8, seed=0), 10))
    assert sorted(sample for batch in seen for sample in batch.samples) == sorted(held.samples)
    for batch in seen:
        assert all((known[sample] == film).all() for sample, film in zip(batch.samples, batch.films, strict=True))
    again = list(islice(batches(streamed, 8, seed=0), 10))
    assert [batch.samples for batch in again] == [batch.samples for batch in seen]
    assert {sample.split("/")[0] for sample in seen[0].samples} == {"toy-real", "toy-synthetic"}


def test_a_shuffled_control_leaves_no_report_with_its_film(store, real, section):
    corpus = load_corpus(store, arm(real, shuffled=True), section, seed=0)
    assert (corpus.report_of != np.arange(40)).all()
    assert sorted(corpus.report_of) == list(range(40))


@pytest.mark.parametrize("n", [2, 3, 50])
def test_a_derangement_moves_everything(n):
    moved = derangement(n, seed=0)
    assert sorted(moved) == list(range(n))
    assert (moved != np.arange(n)).all()


def test_one_pair_cannot_be_shuffled():
    with pytest.raises(ValueError, match="at least 2"):
        derangement(1, seed=0)


def test_a_selection_limits_what_is_drawn(store, real, section):
    kept = {f"real-{at:05d}" for at in range(12)}
    choices = [Choice(sample_id=f"real-{at:05d}", kept=at < 12, reason="" if at < 12 else "test") for at in range(96)]
    write_selection(store, DatasetRef("toy-real", "v1"), "twelve", Selection(rules=Rules(), choices=choices))
    selected = real.model_copy(update={"selection": "twelve"})
    assert {s.rpartition("/")[2] for s in load_corpus(store, arm(selected, pairs=12), section, 0).samples} == kept
    with pytest.raises(ValueError, match="offers 12 pairs, but the arm takes 13"):
        load_corpus(store, arm(selected, pairs=13), section, seed=0)
    with pytest.raises(ObjectMissing, match="nowhere"):
        load_corpus(store, arm(real.model_copy(update={"selection": "nowhere"})), section, seed=0)


def test_another_dataset_under_the_same_name_is_refused(store, real, section):
    with pytest.raises(ValueError, match="plan the arms again"):
        load_corpus(store, arm(real.model_copy(update={"fingerprint": "older"})), section, seed=0)


def test_a_damaged_shard_is_named(tmp_path, store, real, section):
    copy = open_store(str(tmp_path))
    for info in store.list("datasets/toy-real/"):
        data = store.get(info.key)
        copy.put(info.key, data[:20_000] if info.key.endswith("00001.tar") else data)
    with pytest.raises(CorruptShard, match=r"00001\.tar"):
        load_corpus(copy, arm(real), section, seed=0)
