"""Films are looked at once; what is alike is kept in the store and decided on anew at any threshold."""

from __future__ import annotations

import numpy as np
import pytest

from models import registry
from models.contracts import Encoder
from models.encoders.classifier_features import ClassifierFeatureEncoder
from storage.errors import CorruptShard
from storage.open import open_store
from storage.versions import Version
from tasks.curate.keep import RulesDoNotFit, decide
from tasks.curate.measure import hash_films
from tasks.recipe.curation import Rules


def test_a_near_copy_is_found_by_hash_and_by_embedding(publish, films):
    copy = np.clip(films[2].astype(int) + 3, 0, 255).astype(np.uint8)
    store, ref, _ = publish([*films, copy])
    assert len(decide(Version.open(store, ref), Rules())[1].kept) == 9
    for rules in (Rules(near_image=8), Rules(near_film=0.98)):
        _, selection = decide(Version.open(store, ref), rules)
        assert [choice.sample_id for choice in selection.choices if not choice.kept] == ["s8"]
        assert selection.choices[8].reason.endswith("s2")


def test_the_second_decision_reads_no_film_again(publish, films, tmp_path):
    store, ref, manifest = publish(films)
    decide(Version.open(store, ref), Rules(near_image=8, near_film=0.98, near_report=0.9))
    for entry in manifest.shards:
        assert entry.pairs is not None
        store.delete(ref.key(entry.pairs.key))
    _, selection = decide(
        Version.open(open_store(str(tmp_path)), ref), Rules(near_image=2, near_film=0.9, near_report=0.8)
    )
    assert len(selection.choices) == 8


def test_rules_that_need_no_film_read_none_and_keep_nothing(publish, films):
    store, ref, _ = publish(films)
    decide(Version.open(store, ref), Rules(caps={"no finding": 3}))
    assert not list(store.list("measures/"))


def test_a_damaged_measurement_is_named_with_the_remedy(publish, films):
    store, ref, _ = publish(films)
    decide(Version.open(store, ref), Rules(near_report=0.9))
    key = next(iter(store.list("measures/"))).key
    store.put(key, b"junk", create_only=False)
    with pytest.raises(CorruptShard, match="delete it, and it is measured again"):
        decide(Version.open(store, ref), Rules(near_report=0.9))


def test_rules_that_do_not_fit_the_version_name_it(publish, films):
    store, ref, _ = publish(films)
    with pytest.raises(RulesDoNotFit, match="phantom-cxr/v1"):
        decide(Version.open(store, ref), Rules(thresholds={"beauty": 0.5}))


def test_hashes_ignore_exposure_and_tell_films_apart(films):
    bright = [np.clip(film * 0.8 + 30, 0, 255).astype(np.uint8) for film in films]
    bits = np.unpackbits(
        np.bitwise_xor(hash_films(films)[:, None], hash_films(bright)[None]).astype(np.uint8), axis=2
    ).sum(2)
    assert bits.diagonal().max() <= 8
    assert (bits + 1000 * np.eye(8, dtype=int)).min() > 24


@pytest.mark.parametrize("kind", ["classifier-features", "film"])
def test_every_kind_of_encoder_gives_unit_rows_and_names_its_weights(kind, films):
    encoder = registry.build(registry.ENCODERS, kind, {})
    assert isinstance(encoder, Encoder)
    rows = encoder.embed(films)
    assert len(rows) == 8
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert encoder.embed([]).shape == (0, rows.shape[1])
    assert encoder.revision


def test_another_classifier_is_another_revision():
    assert ClassifierFeatureEncoder("examiner").revision != ClassifierFeatureEncoder().revision
