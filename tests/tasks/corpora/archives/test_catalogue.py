"""The public test sets that can be ingested."""

from __future__ import annotations

from storage.records import PairRow
from tasks.corpora.archives.catalogue import CATALOGUE, PHANTOM
from tasks.corpora.archives.registry import FOLDER, LAYOUTS
from tasks.ingest.use_terms import TERMS


def test_every_layout_with_tables_is_there_once_and_in_order() -> None:
    layouts = tuple(each.layout for each in CATALOGUE)
    assert layouts == (*(name for name in LAYOUTS if name != FOLDER), PHANTOM)


def test_what_a_dataset_holds_are_fields_of_a_row() -> None:
    for each in CATALOGUE:
        assert each.holds <= {*PairRow.model_fields}, each.name
        assert bool(each.splits) == ("split" in each.holds), each.name


def test_each_download_names_its_page_and_what_is_asked() -> None:
    for each in CATALOGUE:
        assert each.where_to_get.startswith("https://") == (each.layout != PHANTOM), each.name
        assert each.access, each.name
        assert each.notes, each.name
        if each.layout != PHANTOM and TERMS[each.layout].credentialed:
            assert "agreement" in each.access, each.name


def test_datasets_are_found_by_what_a_task_needs() -> None:
    masks = [each for each in CATALOGUE if not each.lacks("labels", "masks")]
    assert [each.layout for each in masks] == ["siim", "covid_rural", PHANTOM]
    assert masks[0].lacks("impression", "masks", "report_model") == ("impression", "report_model")
