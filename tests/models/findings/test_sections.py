"""Sections: known headings, blank lines that end a preamble, and the last of several."""

from __future__ import annotations

import pytest

from models.findings.sections import body, last, sections, without_titles
from models.findings.tokens import key, singular, words

REPORT = (
    "EXAMINATION: CHEST\n\nINDICATION: cough\nand fever\n\nThe lungs are clear.\n"
    "IMPRESSION: old.\nIMPRESSION: new one."
)


def test_a_report_is_cut_into_named_parts_without_loss() -> None:
    parts = sections(REPORT)
    assert "".join(REPORT[part.start : part.end] for part in parts) == REPORT
    named = [(part.name, " ".join(REPORT[part.start : part.end].split())) for part in parts]
    assert [item for item in named if item[1]] == [
        ("technique", "EXAMINATION: CHEST"),
        ("indication", "INDICATION: cough and fever"),
        ("findings", "The lungs are clear."),
        ("impression", "IMPRESSION: old."),
        ("impression", "IMPRESSION: new one."),
    ]


def test_text_without_headings_is_findings_and_a_colon_in_a_sentence_opens_nothing() -> None:
    text = "Lines and tubes: none. There is one thing: a nodule."
    assert [(part.name, part.start, part.end) for part in sections(text)] == [("findings", 0, len(text))]
    assert sections("") == []


def test_the_last_section_of_a_name_counts() -> None:
    assert last(REPORT, "impression") == "IMPRESSION: new one."
    assert last("nothing", "impression") == ""


def test_words_are_singular_and_know_their_place() -> None:
    assert words("air-space opacities") == [("air", 0, 3), ("space", 4, 9), ("opacity", 10, 19)]
    assert [singular(word) for word in ("bases", "masses", "atelectases", "hila", "thorax", "scoliosis", "ribs")] == [
        "base", "mass", "atelectasis", "hilum", "thorax", "scoliosis", "rib",
    ]  # fmt: skip
    assert key("Lung Nodules") == key("lung nodule")


@pytest.mark.parametrize("text", [
    "FINAL REPORT\nEXAMINATION: CHEST\n\nClear.", "WET READ: ___ 5 PM\nClear.\n____________\n FINAL REPORT\n\nClear.",
    " FINAL REPORT HISTORY: cough.\n\nClear.", "FINAL ADDENDUM\nClear.", "*** WET READ ***\nClear.",
])  # fmt: skip
def test_a_title_is_a_part_of_its_own_and_nothing_is_lost(text: str) -> None:
    parts = sections(text)
    assert "".join(text[part.start : part.end] for part in parts) == text
    told = " ".join(text[part.start : part.end] for part in parts if part.name == "findings")
    assert "Clear." in told
    assert "FINAL" not in told
    assert "READ **" not in told


def test_what_follows_the_last_title_is_the_reports_body() -> None:
    assert body("WET READ: a\nFINAL REPORT\n b") == "\n b"
    assert [body(text) for text in ("a", "a\nFINAL REPORT\n \n")] == ["a", "a\nFINAL REPORT\n \n"]
    assert without_titles("WET READ: ___ FRI 5:10 PM\n Clear.\n ______\n") == "\n Clear.\n\n"
    assert last("WET READ: old.\n\nFINDINGS: new.", "findings") == "FINDINGS: new."
