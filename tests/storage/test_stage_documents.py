"""Entries of finished reports and model cards: the first one written stays, and damaged ones are named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.errors import CorruptShard
from storage.layout import DatasetRef, shard_of, split_version, stage_of_card
from storage.local import LocalStore
from storage.manifest import reached
from storage.records import ReportEntry
from storage.stage_documents import (
    find_report_entry,
    model_cards,
    numbers_committed,
    numbers_reported,
    put_model_card,
    put_report_entry,
)
from storage.versions import open_dataset


def test_the_first_entry_of_a_shard_stays(local_store: LocalStore, ref: DatasetRef) -> None:
    first = ReportEntry(shard=3, accepted=7, rejected=1, seconds={"reports": 2.5}, counts={"planned": 8})
    put_report_entry(local_store, ref, first)
    put_report_entry(local_store, ref, first.model_copy(update={"accepted": 6}))
    assert find_report_entry(local_store, ref, 3) == first
    assert find_report_entry(local_store, ref, 4) is None
    assert (numbers_reported(local_store, ref), numbers_committed(local_store, ref)) == ({3}, set())


def test_the_first_card_of_a_stage_stays(local_store: LocalStore, ref: DatasetRef) -> None:
    put_model_card(local_store, ref, "reports", {"name": "writer"})
    put_model_card(local_store, ref, "reports", {"name": "another"})
    put_model_card(local_store, ref, "images", {"name": "drawer"})
    local_store.put(ref.key("models/.DS_Store"), b"foreign")
    assert model_cards(local_store, ref) == {"images": {"name": "drawer"}, "reports": {"name": "writer"}}


@pytest.mark.parametrize("text", ["", "[1]", '"card"', "{"])
def test_a_damaged_card_is_named(local_store: LocalStore, ref: DatasetRef, text: str) -> None:
    local_store.put(ref.model_card("reports"), text.encode())
    with pytest.raises(CorruptShard, match=r"models/reports\.json.*remove it and run again, or restore it"):
        model_cards(local_store, ref)


def test_their_keys_belong_to_the_version_and_to_their_shard(ref: DatasetRef) -> None:
    for key in (ref.report_entry(3), ref.model_card("reports"), ref.weights):
        assert split_version(key) == (ref, ref.relative(key))
    assert (shard_of(ref.report_entry(3)), shard_of(ref.model_card("reports"))) == (3, None)
    assert (stage_of_card(ref.model_card("reports")), stage_of_card(ref.report_entry(3))) == ("reports", None)
    assert split_version(ref.key("models/Reports.json")) is None
    assert split_version(ref.key("reports/3.json")) is None


def test_a_published_version_reaches_them(local_store: LocalStore, publish: Callable[..., DatasetRef]) -> None:
    ref = publish(local_store)
    named = reached(ref, open_dataset(local_store, ref))
    assert {ref.report_entry(0), ref.report_entry(1), ref.model_card("reports"), ref.weights} <= named
