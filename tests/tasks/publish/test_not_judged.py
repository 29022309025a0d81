"""What a gate did not judge is on the card, on the page, in the tables and in the JSON of every sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.objects import ObjectStore
from storage.records import GateRow, Manifest, PairRow
from storage.shards import Sample
from storage.tables import from_parquet, to_parquet
from storage.versions import Version, VersionPlace
from tasks.curate.table import read_table
from tasks.publish.card import build_card
from tasks.publish.dataset import ManifestFacts, make_manifest
from tasks.publish.figures import Tally
from tasks.publish.provenance import gate_line
from tasks.publish.report import build_report

FULL = GateRow(gate="agreement", score=0.8, threshold=0.5, passed=True, not_judged=0)
PART = FULL.model_copy(update={"not_judged": 1, "reason": "not judged: disease/sarcoidosis"})
NONE = PART.model_copy(update={"score": None})


@pytest.fixture
def manifest(local_store: ObjectStore, make_pair: Callable[..., Sample]) -> Manifest:
    pairs = [make_pair(number, gates=[row]) for number, row in enumerate((FULL, PART, NONE))]
    ref = DatasetRef("mined", "v1")
    entry = commit_shard(local_store, ref, 0, ShardContents(pairs))
    return make_manifest(VersionPlace(local_store, ref), [entry], ManifestFacts(fingerprint="f", asked=3, models={}))


def test_the_rows_and_the_json_of_a_sample_say_it(local_store: ObjectStore, manifest: Manifest) -> None:
    ref = DatasetRef("mined", "v1")
    assert [row.gates[0] for row in Version(local_store, ref, manifest).rows()] == [FULL, PART, NONE]
    said = [sample.json["gates"][0] for sample in Version(local_store, ref, manifest).samples()]
    assert [(gate["score"], gate["not_judged"]) for gate in said] == [(0.8, 0), (0.8, 1), (None, 1)]


def test_card_and_page_count_the_pairs(local_store: ObjectStore, manifest: Manifest) -> None:
    tally = Tally()
    tally.add(manifest.shards[0], Version(local_store, DatasetRef("mined", "v1"), manifest).rows(), [])
    card = build_card(manifest, tally)
    assert "2 of 3 accepted pairs ask for something that agreement does not know: this was not judged" in card
    assert "not judged in</dt><dd>2 pairs" in build_report(manifest, tally, [], {})
    assert gate_line(NONE) == "not judged (not judged: disease/sarcoidosis)"
    plain = Tally()
    plain.add(manifest.shards[0], [], [])
    assert "not judged" not in build_card(manifest, plain)


def test_to_curation_a_pair_without_a_score_is_not_scored(local_store: ObjectStore, manifest: Manifest) -> None:
    scores = read_table(Version(local_store, DatasetRef("mined", "v1"), manifest)).scores("agreement")
    assert scores.tolist()[:2] == [0.8, 0.8]
    assert np.isnan(scores[2])


def test_rows_without_the_field_are_read_as_before(make_pair: Callable[..., Sample]) -> None:
    old = make_pair(1).json
    assert "not_judged" not in old["gates"][0]
    row = PairRow.model_validate(old)
    assert from_parquet(to_parquet([row]), PairRow) == [row]
    assert row.gates[0].not_judged is None
