"""Prompts name every finding in all its forms."""

import pytest

from models.phantom.vocabulary import LABELS
from tasks.evaluate.prompts import NORMAL, all_prompts, prompts_for


def test_every_finding_has_prompts_for_it_and_for_a_normal_film():
    for label, item in zip(LABELS, all_prompts(), strict=True):
        assert item.label == label
        assert all(label in text.lower() for text in item.positive)
        assert item.negative == NORMAL
        assert not any(" no " in f" {text.lower()} " for text in item.positive)


def test_sides_zones_and_severities_are_all_named():
    texts = " ".join(prompts_for("consolidation").positive)
    assert all(word in texts for word in ("left", "right", "upper zone", "lower zone", "dense", "patchy"))


def test_an_unknown_finding_is_named():
    with pytest.raises(ValueError, match="pneumonya"):
        prompts_for("pneumonya")
