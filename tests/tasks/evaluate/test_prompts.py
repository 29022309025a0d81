"""Prompts name every finding of a label set in all its forms, and a test set's unknown labels are told before work."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from models.findings.label_sets import UnknownLabels, load, names
from models.phantom.case import draw_case
from models.phantom.hospital import HOSPITAL_A
from models.phantom.report import mentions_of, write_report
from tasks.evaluate.prompts import NORMAL, SETS, PromptSetName, all_prompts, prompts_for, prompts_of

PHANTOM_PROMPTS = "8105afde31fc62b5e912064ddf417dc4fb83e276e39841f06a45087c6e9bc59b"


def test_the_phantoms_prompts_are_those_that_its_figures_were_measured_with() -> None:
    text = json.dumps([asdict(item) for item in prompts_for("phantom")])
    assert hashlib.sha256(text.encode()).hexdigest() == PHANTOM_PROMPTS


@pytest.mark.parametrize("name", names())
def test_every_finding_has_prompts_for_it_and_for_a_normal_film(name: str) -> None:
    for label, item in zip(load(name).labels, prompts_for(name), strict=True):
        assert item.label == label.name
        assert len(set(item.positive)) == len(item.positive) >= 2
        assert item.negative == NORMAL
        assert not any(" no " in f" {text.lower()} " for text in item.positive)


def test_sides_zones_and_severities_are_all_named() -> None:
    consolidation = load("phantom").find("consolidation")
    assert consolidation is not None
    texts = " ".join(prompts_of(consolidation).positive)
    assert all(word in texts for word in ("left", "right", "upper zone", "lower zone", "dense", "patchy"))


def test_a_test_set_is_asked_for_its_own_findings_in_the_order_of_its_label_set() -> None:
    found = prompts_for("nih-14", ["No Finding", "Pneumothorax", "infiltrate"])
    assert [item.label for item in found] == ["Infiltration", "Pneumothorax"]
    assert found[0].positive[:2] == ("pulmonary infiltrate.", "There is pulmonary infiltrate.")


def test_unknown_labels_are_all_told_with_what_the_set_knows() -> None:
    with pytest.raises(UnknownLabels) as raised:
        prompts_for("siim", ["Pneumothorax", "Mass", "Nodule"], "test set real@v1")
    assert str(raised.value) == "test set real@v1: label set siim has no 'Mass', 'Nodule'; it knows Pneumothorax"


def test_a_set_in_a_file_has_prompts_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nlabels: [{name: Effusion, means: [pleural effusion], prompts: [a pleural effusion]}]\n"
    )
    assert prompts_for(str(path))[0].positive == ("a pleural effusion.", "There is a pleural effusion.")


def test_a_test_set_that_names_no_label_set_is_of_the_phantom() -> None:
    assert prompts_for("") == prompts_for("phantom")


@pytest.mark.parametrize("name", names())
def test_every_label_set_has_three_sets_of_prompts_that_share_no_prompt(name: str) -> None:
    sets = [all_prompts(name, prompts, "pair") for prompts in SETS]
    assert len(sets) == 3
    for of_one in zip(*sets, strict=True):
        texts = [text for item in of_one for text in (*item.positive, *item.negative)]
        assert len(set(texts)) == len(texts)
        assert all(item.positive and item.negative for item in of_one)


def test_one_set_is_the_bare_label() -> None:
    found = prompts_for("nih-14", ["Pleural_Thickening"], prompts="label", rule="pair")
    assert (found[0].positive, found[0].negative) == (("pleural thickening",), ("no pleural thickening",))


def test_a_rule_says_what_a_finding_is_contrasted_with() -> None:
    edema = load("chexpert-14").find("Edema")
    assert edema is not None
    pair, normal, alone = (prompts_of(edema, "caption", rule) for rule in ("pair", "normal", "max"))
    assert pair.positive == normal.positive == alone.positive
    assert all(" does not " in text for text in pair.negative)
    assert len(pair.negative) == len(pair.positive)
    assert normal.negative == SETS["caption"].normal
    assert alone.negative == ()


@pytest.fixture(scope="module")
def training_sentences() -> set[str]:
    """Every sentence of 600 reports of hospital A, from which models learn."""
    rng = np.random.default_rng(0)
    cases = [draw_case(HOSPITAL_A, 7, index) for index in range(600)]
    reports = [" ".join(write_report(mentions_of(case.findings, rng), rng)) for case in cases]
    return {sentence.strip().lower() for report in reports for sentence in report.split(".")}


@pytest.mark.parametrize(("prompts", "shared"), [("report", True), ("caption", False)])
def test_one_set_shares_no_sentence_form_with_any_training_report(
    prompts: PromptSetName, shared: bool, training_sentences: set[str]
) -> None:
    forms = SETS[prompts]
    patterns = [
        re.escape(form.rstrip(".").lower()).replace(r"\{\}", ".+")
        for form in (*forms.positive, *forms.negated, *forms.normal) if form != "{}."
    ]  # fmt: skip
    matched = [pattern for pattern in patterns if any(re.fullmatch(pattern, text) for text in training_sentences)]
    assert bool(matched) == shared, matched
