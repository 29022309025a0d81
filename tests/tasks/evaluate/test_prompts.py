"""Prompts name every finding of a label set in all its forms, and a test set's unknown labels are told before work."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from models.findings.label_sets import UnknownLabels, load, names
from tasks.evaluate.prompts import NORMAL, prompts_for, prompts_of

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
