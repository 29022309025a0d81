"""A report states every mention verbatim, and nothing that is not there."""

from __future__ import annotations

import re

import numpy as np
import pytest

from models.contracts import EntityType, Mention
from models.phantom.case import draw_case
from models.phantom.hospital import HOSPITAL_B
from models.phantom.report import NORMAL_IMPRESSIONS, mentions_of, write_report
from models.phantom.vocabulary import LABELS, Finding, phrase

EFFUSION = Finding("pleural effusion", "left", None, "moderate")
CARDIOMEGALY = Finding("cardiomegaly", severity="mild")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def place(text: str) -> Mention:
    side, zone = text.split(" ", 1)
    return Mention(f"anatomy/{text}", EntityType.ANATOMY, text, side=side, zone=zone)


@pytest.mark.parametrize("index", range(150))
def test_every_phrase_stands_verbatim(index):
    case = draw_case(HOSPITAL_B, 1, index)
    mentions = mentions_of(case.findings, rng(index))
    findings, impression = (text.lower() for text in write_report(mentions, rng(index)))
    assert all(mention.phrase in findings for mention in mentions)
    assert all(mention.phrase in impression for mention in mentions if mention.present)
    assert not any(mention.phrase in impression for mention in mentions if not mention.present)


@pytest.mark.parametrize("index", range(60))
def test_text_is_well_formed(index):
    case = draw_case(HOSPITAL_B, 2, index)
    for text in write_report(mentions_of(case.findings, rng(index)), rng(index)):
        assert text == " ".join(text.split())
        assert text.endswith(".")
        assert not re.search(r"[{}]|\.\.|\ba [aeio]|\bA an?\b|\ban [^aeiou]", text)
        assert all(re.sub(r"^\d+\. ", "", part)[0].isupper() for part in re.split(r"(?<=[a-z]\.) ", text))


def test_the_impression_is_short_and_holds_only_the_positives():
    for index in range(200):
        case = draw_case(HOSPITAL_B, 3, index)
        _, impression = write_report(mentions_of(case.findings, rng(index)), rng(index))
        assert len(impression.split()) <= 45
        if not case.findings:
            assert impression in NORMAL_IMPRESSIONS


def test_mentions_are_the_findings_and_some_usual_negations():
    mentions = mentions_of((EFFUSION, CARDIOMEGALY), rng())
    assert [m.phrase for m in mentions if m.present] == [phrase(EFFUSION), phrase(CARDIOMEGALY)]
    absent = [m for m in mentions if not m.present]
    assert absent
    assert all(m.phrase == f"no {m.label}" and m.label in LABELS for m in absent)
    assert not {m.label for m in absent} & {"pleural effusion", "cardiomegaly"}
    kinds = {m.label: m.type for m in mentions}
    assert kinds["pleural effusion"] is EntityType.ABNORMALITY
    assert kinds["cardiomegaly"] is EntityType.DISEASE


def test_a_place_is_named_whether_or_not_something_is_there():
    mass = mentions_of((Finding("lung mass", "right", "upper zone"),), rng())
    for seed in range(20):
        findings, _ = write_report([*mass, place("right upper zone"), place("left lower zone")], rng(seed))
        assert "right upper zone" in findings.lower()
        assert "left lower zone" in findings.lower()


def test_a_film_with_every_finding_can_be_reported():
    assert len(mentions_of([Finding(label) for label in LABELS], rng())) == len(LABELS)


def test_words_and_order_vary():
    mentions = mentions_of((EFFUSION, CARDIOMEGALY), rng())
    reports = [write_report(mentions, rng(seed)) for seed in range(60)]
    assert len({findings for findings, _ in reports}) > 40
    assert len({impression for _, impression in reports}) >= 4


def test_the_same_dice_write_the_same_report():
    mentions = mentions_of((EFFUSION,), rng())
    assert write_report(mentions, rng(5)) == write_report(mentions, rng(5))
