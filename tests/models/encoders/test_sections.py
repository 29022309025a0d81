"""Sections: known headings, blank lines that end a preamble, and the last of several."""

from __future__ import annotations

from models.encoders.sections import last, sections
from models.encoders.words import key, singular, words

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
