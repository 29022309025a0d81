"""An archive's labels are called by the words of its label set."""

from __future__ import annotations

import pytest

from models.findings.label_sets import Label, load
from models.findings.ontology import concepts
from models.findings.tokens import key
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


@pytest.mark.parametrize(
    ("label_set", "label", "words"),
    [
        ("chexpert-14", "Support Devices", "support device"),
        ("chexpert-14", "Pleural Other", "other pleural abnormality"),
        ("nih-14", "Hernia", "hernia"),
        ("nih-radiologists", "Nodule or mass", "nodule or mass"),
        ("vindr", "Nodule/Mass", "nodule or mass"),
        ("openi", "bone diseases, metabolic", "metabolic bone disease"),
        ("padchest", "dual chamber device", "dual chamber device"),
        ("rsna", "Lung Opacity", "lung opacity suspicious for pneumonia"),
    ],
)
def test_a_label_of_several_meanings_is_not_called_by_one_of_them(label_set: str, label: str, words: str) -> None:
    assert LabelWords(label_set).phrase(label) == words


def says_only(label: Label, words: str) -> bool:
    """Whether `words` are in the label's own name, or name the only concept that the label means or is a kind of."""
    single = [*label.means, *label.kind_of]
    named = {key(each) for name in single for each in (name, *concepts()[name].phrases)} if len(single) == 1 else set()
    own = {"or", "abnor", *(word[:5] for word in key(label.name))}
    return {word[:5] for word in key(words)} <= own or any(set(each) <= set(key(words)) for each in named)


@pytest.mark.parametrize("label_set", ["chexpert-14", "nih-14", "nih-radiologists", "vindr", "siim"])
def test_a_label_is_stated_in_its_own_words_or_by_its_one_concept(label_set: str) -> None:
    words = LabelWords(label_set)
    assert [
        label.name for label in load(label_set).labels if not says_only(label, words.phrase(label.name) or "")
    ] == []


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
