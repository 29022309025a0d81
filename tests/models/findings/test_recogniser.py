"""The rule recogniser: what a text states, what it denies, and where."""

from __future__ import annotations

import time

import numpy as np
import pytest

from models.findings.recogniser import mentions, polarities
from models.phantom.report import mentions_of, write_report
from models.phantom.vocabulary import KINDS, LABELS, Finding, phrase


def recognise(text: str) -> dict[str, bool]:
    """Label to present; a label that is stated once and denied elsewhere counts as present."""
    labels: dict[str, bool] = {}
    for found in mentions(text):
        labels[found.label] = labels.get(found.label, False) or found.present
    return labels


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_finding_is_known_by_its_own_phrase_with_its_attributes(kind) -> None:
    for side in kind.sides or (None,):
        for zone in kind.zones or (None,):
            for severity in kind.severities or (None,):
                (found,) = mentions(f"There is {phrase(Finding(kind.name, side, zone, severity))}.")
                assert (found.label, found.present) == (kind.name, True)
                assert (found.side, found.zone, found.severity) == (side, zone, severity)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "shape", ["No {}.", "There is no {} identified.", "The film is free of {}.", "{} is not seen."]
)
def test_every_finding_can_be_denied(label: str, shape: str) -> None:
    assert recognise(shape.format(label)) == {label: False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "No pneumothorax, effusion or nodule.",
            {"pneumothorax": False, "pleural effusion": False, "lung nodule": False},
        ),
        ("Neither edema nor masses.", {"pulmonary edema": False, "lung mass": False}),
        ("Pneumothorax and effusion are not seen.", {"pneumothorax": False, "pleural effusion": False}),
        ("No effusion, but cardiomegaly is present.", {"pleural effusion": False, "cardiomegaly": True}),
        ("No effusion is seen and cardiomegaly is present.", {"pleural effusion": False, "cardiomegaly": True}),
        ("Small effusion, and pneumothorax is not seen.", {"pleural effusion": True, "pneumothorax": False}),
        ("There is an effusion without pneumothorax.", {"pleural effusion": True, "pneumothorax": False}),
        ("Pneumothorax: none. Effusion.", {"pneumothorax": False, "pleural effusion": True}),
        ("No change in the left effusion.", {"pleural effusion": True}),
        ("Pneumonia cannot be excluded.", {"consolidation": True}),
        ("The effusion has resolved.", {"pleural effusion": False}),
        ("The heart size is normal. Cardiomegaly is absent.", {"cardiomegaly": False}),
        ("The heart is moderately enlarged.", {"cardiomegaly": True}),
        ("NO PNEUMOTHORAX", {"pneumothorax": False}),
        ("No pericardial effusion.", {}),
        ("No pneumothorax. Later: a pneumothorax.", {"pneumothorax": True}),
        ("", {}),
        ("...", {}),
        ("\n\n\t ", {}),
    ],
)
def test_negation_ends_where_a_reader_ends_it(text: str, expected: dict[str, bool]) -> None:
    assert recognise(text) == expected


def test_attributes_go_to_their_own_finding() -> None:
    text = "Small effusion on the right and a large nodule in the left upper lobe, 1.5 cm, with bilateral atelectasis."
    assert [(m.label, m.side, m.zone, m.severity) for m in mentions(text)] == [
        ("pleural effusion", "right", None, "small"),
        ("lung nodule", "left", "upper zone", "large"),
        ("atelectasis", "bilateral", None, None),
    ]


def test_spans_index_the_text() -> None:
    text = "Lungs: LEFT Pleural Effusions. No  pneumothorax."
    assert [text[m.start : m.end] for m in mentions(text)] == ["Pleural Effusions", "pneumothorax"]


def test_the_polarity_of_any_phrase() -> None:
    assert polarities("No fracture. An old rib  fracture.", "fracture") == [False, True]
    assert polarities("A stent without migration is seen.", "stent without migration") == [True]
    assert polarities("Fractured.", "fracture") == []
    assert polarities("anything", " ") == []
    assert polarities('A "curious" (5%) opacity.', '"curious" (5%) opacity') == [True]


def test_it_reads_the_phantoms_own_reports_without_error() -> None:
    rng = np.random.default_rng(0)
    for number in range(300):
        kinds = rng.choice(len(KINDS), int(rng.integers(0, 5)), replace=False)
        asked = mentions_of(
            [Finding(k.name, *(str(rng.choice(o)) if o else None for o in (k.sides, k.zones, k.severities)))
             for k in (KINDS[at] for at in kinds)], rng,
        )  # fmt: skip
        findings, impression = write_report(asked, rng)
        present = {m.label for m in asked if m.present}
        assert {label for label, there in recognise(findings).items() if there} == present, (number, findings)
        assert {label for label, there in recognise(impression).items() if there} == present, (number, impression)


def test_two_thousand_reports_a_second() -> None:
    texts = [
        "There is a moderate left pleural effusion. Cardiomegaly is noted. No pneumothorax is seen. "
        f"The left lower zone shows no consolidation or nodule. Case {number}."
        for number in range(1000)
    ]
    best = min(_cpu_seconds(texts) for _ in range(3))
    assert len(texts) / best >= 2000


def _cpu_seconds(texts: list[str]) -> float:
    started = time.process_time()
    for text in texts:
        mentions(text)
    return time.process_time() - started
