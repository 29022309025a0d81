"""An archive's labels are called by the words of its label set."""

from __future__ import annotations

import pytest

from models.findings.label_sets import load
from tasks.corpora.archives.layouts import chexpert, nih
from tasks.ingest.label_words import LabelWords, words_of
from tasks.ingest.use_terms import TERMS


@pytest.mark.parametrize("layout", TERMS)
def test_every_layout_names_a_label_set_that_there_is_or_none(layout: str) -> None:
    label_set = TERMS[layout].label_set
    assert not label_set or load(label_set).labels
    assert TERMS[layout].agreement.endswith(".")


@pytest.mark.parametrize(("label_set", "labels"), [("nih-14", nih.FINDINGS), ("chexpert-14", chexpert.OBSERVATIONS)])
def test_a_set_has_words_for_every_label_of_its_archive(label_set: str, labels: tuple[str, ...]) -> None:
    words = LabelWords(label_set)
    assert [name for name in labels if words.phrase(name) is None] == [
        name for name in labels if words.is_normal(name)
    ]
    assert words.phrase("Effusion" if label_set == "nih-14" else "Pleural Effusion") == "pleural effusion"
    assert words.is_normal("No Finding")
    assert not words.is_normal("Edema")


def test_a_label_of_no_set_is_called_by_its_name() -> None:
    assert LabelWords("").phrase("Pleural_Thickening") == "pleural thickening"
    assert LabelWords("nih-14").phrase("Airspace opacity") == "airspace opacity"
    assert LabelWords("").phrase("normal") is None


@pytest.mark.parametrize(
    ("label", "words"),
    [("Pleural_Thickening", "pleural thickening"), ("Nodule/Mass", "nodule or mass"), ("COPD", "COPD")],
)
def test_a_name_becomes_words(label: str, words: str) -> None:
    assert words_of(label) == words
