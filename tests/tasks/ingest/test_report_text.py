"""What becomes of a report, and what is said where there is none."""

from __future__ import annotations

import pytest

from tasks.ingest.label_words import words_of
from tasks.ingest.report_text import ReportText, report_text, text_of_labels

MIMIC = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with cough

 COMPARISON:  None.

 FINDINGS:

 Small left effusion.  The heart is
 normal in size.

 IMPRESSION:

 1. Left effusion.

 RECOMMENDATION(S):  Follow up.
"""


@pytest.mark.parametrize(
    ("report", "findings", "impression"),
    [
        (MIMIC, "Small left effusion. The heart is normal in size.", "1. Left effusion."),
        ("FINDINGS: Clear.\n\nIMPRESSION: Normal.", "Clear.", "Normal."),
        ("IMPRESSION: Normal.", "", "Normal."),
        ("CONCLUSION: Normal.", "", "Normal."),
        ("The lungs are clear.", "The lungs are clear.", ""),
        ("FINDINGS:\nLUNGS: Clear.\nHEART: Normal.", "LUNGS: Clear. HEART: Normal.", ""),
        ("FINDINGS: \n\nIMPRESSION: ", "", ""),
        (" \n ", "", ""),
    ],
)
def test_of_a_report_findings_and_impression_are_taken(report: str, findings: str, impression: str) -> None:
    assert report_text(report) == ReportText(findings, impression)


LABELS = {"Mass": 1, "Edema": 0, "Pleural_Thickening": -1, "No Finding": 0, "Hernia": 1}


def phrase(label: str) -> str | None:
    return None if label == "No Finding" else words_of(label)


def test_labels_become_sentences_by_the_stated_rules() -> None:
    assert text_of_labels(LABELS, phrase, normal=False) == ReportText(
        "There is mass. There is hernia. Possible pleural thickening. No edema.",
        "Mass. Hernia. Possible pleural thickening.",
    )


@pytest.mark.parametrize(
    ("labels", "normal", "findings", "impression"),
    [
        ({"Edema": 0, "No Finding": 1}, True, "No edema.", "No acute cardiopulmonary abnormality."),
        ({"No Finding": 1}, True, "No acute cardiopulmonary abnormality.", "No acute cardiopulmonary abnormality."),
        ({"Pneumothorax": 0}, False, "No pneumothorax.", "No pneumothorax."),
        ({"No Finding": 0}, False, "", ""),
        ({}, False, "", ""),
    ],
)
def test_a_film_is_called_normal_only_where_its_labels_say_so(
    labels: dict[str, int], normal: bool, findings: str, impression: str
) -> None:
    assert text_of_labels(labels, phrase, normal=normal) == ReportText(findings, impression)
