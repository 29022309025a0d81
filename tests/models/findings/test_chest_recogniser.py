"""The rules for chest reports as they are: sections, frames, negation, doubt, places, and line breaks within."""

from __future__ import annotations

import pytest

from models.contracts import EntityType, Recogniser
from models.findings.chest_recogniser import ChestRecogniser, Span, SpanRecogniser
from models.findings.ontology import concepts
from models.phantom.vocabulary import KINDS


def spans(text: str) -> list[Span]:
    return ChestRecogniser().spans([text])[0]


def stated(text: str) -> dict[str, str]:
    return {span.concept: span.status for span in spans(text) if span.type is not EntityType.ANATOMY}


def test_it_keeps_both_protocols_and_knows_the_phantoms_findings_by_name_and_type() -> None:
    assert isinstance(ChestRecogniser(), Recogniser)
    assert isinstance(ChestRecogniser(), SpanRecogniser)
    assert {kind.name: kind.type for kind in KINDS} == {kind.name: concepts()[kind.name].type for kind in KINDS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The heart is mildly enlarged.", {"cardiomegaly": "present"}),
        ("Enlargement of the cardiac silhouette.", {"cardiomegaly": "present"}),
        ("Heart size is normal.", {"cardiomegaly": "absent"}),
        ("The heart is not enlarged.", {"cardiomegaly": "absent"}),
        ("The heart, seen before the enlarged hilum, is small.", {"hilar enlargement": "present"}),
        ("The heart is normal and the aorta is tortuous.", {"cardiomegaly": "absent", "tortuous aorta": "present"}),
        ("There is no\n pneumothorax or large effusion.", {"pneumothorax": "absent", "pleural effusion": "absent"}),
        ("FINDINGS: No pneumothorax.", {"pneumothorax": "absent"}),
        ("Possible small effusion.", {"pleural effusion": "uncertain"}),
        ("Opacity at the base may reflect pneumonia.", {"opacity": "present", "pneumonia": "uncertain"}),
        ("Pneumonia cannot be excluded.", {"pneumonia": "uncertain"}),
        ("Evaluation for pneumothorax is limited.", {}),
        ("Pericardial effusion.", {"pericardial effusion": "present"}),
        ("Calcification of the aorta.", {"aortic calcification": "present"}),
        ("1. Cardiomegaly\n2. No effusion", {"cardiomegaly": "present", "pleural effusion": "absent"}),
        ("PTX on the left; ETT in place.", {"pneumothorax": "present", "endotracheal tube": "present"}),
        ("", {}),
        ("\x00 \ufffd ( [a-z]+", {}),
    ],
)
def test_what_a_text_states(text: str, expected: dict[str, str]) -> None:
    assert stated(text) == expected


def test_only_the_body_of_a_report_counts_unless_all_is_asked() -> None:
    report = (
        "FINAL REPORT\n REASON FOR EXAM: Rule out pneumonia, known effusion.\n\nSmall pneumothorax.\n\n"
        "COMPARISON: Film with edema.\n\nIMPRESSION: Cardiomegaly."
    )
    assert stated(report) == {"pneumothorax": "present", "cardiomegaly": "present"}
    everything = {span.concept for span in ChestRecogniser(read=None).spans([report])[0]}
    assert {"pleural effusion", "pulmonary edema"} <= everything


def test_attributes_places_terms_and_spans() -> None:
    text = "Small left loculated pleural effusion. Streaky atelectasis in the RLL. Bilateral lung bases are dark."
    found = spans(text)
    assert all(text[span.start : span.end] == span.text for span in found)
    assert [(s.term, s.type.value, s.side, s.severity) for s in found] == [
        ("loculated pleural effusion", "abnormality", "left", "small"),
        ("streaky atelectasis", "abnormality", None, None),
        ("right lower lobe", "anatomy", None, None),
        ("bilateral lung base", "anatomy", None, None),
    ]


def test_denied_entities_have_the_negated_types() -> None:
    assert [(s.concept, s.type.value) for s in spans("No effusion and no pneumothorax.")] == [
        ("pleural effusion", "non_abnormality"),
        ("pneumothorax", "non_disease"),
    ]


def test_doubt_counts_as_stated_or_not() -> None:
    assert ChestRecogniser().recognise(["Possible effusion."]) == [{"pleural effusion": True}]
    assert ChestRecogniser(doubt=False).recognise(["Possible effusion."]) == [{"pleural effusion": False}]
