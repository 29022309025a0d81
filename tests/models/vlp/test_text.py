"""Reports become short texts, reproducibly, whatever their shape."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vlp.text import ReportText, Text, equal_text_rows, split_report, step_text, training_text

REPORT = """FINDINGS: There is a small left pleural effusion. The heart is enlarged. No pneumothorax.

IMPRESSION: 1. Small left pleural effusion.
2. Cardiomegaly.
"""


def test_a_report_splits_into_the_sentences_of_its_parts():
    report = split_report(REPORT)
    assert report.findings == (
        "There is a small left pleural effusion.",
        "The heart is enlarged.",
        "No pneumothorax.",
    )
    assert report.impression == ("Small left pleural effusion.", "Cardiomegaly.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Clear lungs.", ReportText((), ("Clear lungs.",))),
        ("impression: Clear lungs", ReportText((), ("Clear lungs",))),
        ("FINDINGS: Clear lungs. IMPRESSION:", ReportText(("Clear lungs.",), ())),
        ("IMPRESSION: Normal.\nFINDINGS: Clear.", ReportText(("Clear.",), ("Normal.",))),
        ("FINDINGS: \n\nIMPRESSION: - Normal.\n- Clear.", ReportText((), ("Normal.", "Clear."))),
        ("", ReportText((), ())),
        ("FINDINGS: ... IMPRESSION: ___ 12", ReportText((), ())),
    ],
)
def test_odd_reports(text, expected):
    assert split_report(text) == expected
    assert bool(split_report(text)) == bool(expected.findings or expected.impression)


@given(text=st.text(max_size=200), seed=st.integers(0, 99))
def test_any_text_gives_a_training_text_or_nothing(text, seed):
    report = split_report(text)
    if report:
        chosen = training_text(report, random.Random(seed))
        assert chosen.strip()
        assert chosen == training_text(report, random.Random(seed))
    else:
        with pytest.raises(ValueError, match="no sentence"):
            training_text(report, random.Random(seed))


def test_every_sentence_has_its_turn_and_the_impression_too():
    report, rng = split_report(REPORT), random.Random(0)
    seen = Counter(training_text(report, rng) for _ in range(500))
    assert set(seen) == {*report.findings, *report.impression, " ".join(report.impression)}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("report", "The heart is large. No effusion. Cardiomegaly."),
        ("findings", "The heart is large. No effusion."),
        ("impression", "Cardiomegaly."),
    ],
)
def test_a_step_reads_the_part_that_is_asked_for(text: Text, read: str) -> None:
    report = split_report("FINDINGS: The heart is large. No effusion. IMPRESSION: Cardiomegaly.")
    assert step_text(report, text, random.Random(0)) == read


def test_a_report_without_that_part_is_read_by_the_other() -> None:
    impression, findings = split_report("IMPRESSION: Clear."), split_report("FINDINGS: Clear lungs.")
    assert step_text(impression, "findings", random.Random(0)) == "Clear."
    assert step_text(findings, "impression", random.Random(0)) == "Clear lungs."
    assert step_text(findings, "sentence", random.Random(0)) == training_text(findings, random.Random(0))


def test_texts_that_another_row_has_are_counted():
    assert equal_text_rows(("Clear.", "Nodule.", "Clear.", "Effusion.", "Clear.")) == 3
    assert equal_text_rows(("a", "b")) == equal_text_rows(()) == 0
