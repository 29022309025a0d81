"""Kinds are found by name; a mistake names the nearest."""

from __future__ import annotations

import importlib

import pytest

from models import registry
from models.contracts import Gate
from tasks.recipe.curation import Rules

TABLES = {
    "report generator": registry.REPORT_GENERATORS,
    "image generator": registry.IMAGE_GENERATORS,
    "gate": registry.GATES,
}

NEEDED = {"vision_judge": {"model": "some/model"}}
"""The options of the gates that cannot do without any."""


@pytest.mark.parametrize(("table", "kind"), [(t, kind) for t, kinds in TABLES.items() for kind in kinds])
def test_every_kind_leads_to_a_class(table: str, kind: str) -> None:
    module, name = TABLES[table][kind].split(":")
    assert isinstance(getattr(importlib.import_module(module), name), type)


@pytest.mark.parametrize("kind", registry.GATES)
def test_every_gate_goes_by_its_kind(kind: str) -> None:
    gate = registry.build(registry.GATES, kind, NEEDED.get(kind, {}))
    assert isinstance(gate, Gate)
    assert gate.name == kind


def test_a_typo_in_a_kind_names_the_nearest() -> None:
    with pytest.raises(registry.UnknownKind, match=r"unknown kind 'difusers', did you mean 'diffusers'\?"):
        registry.build(registry.IMAGE_GENERATORS, "difusers", {})


def test_a_typo_in_an_option_names_the_nearest() -> None:
    with pytest.raises(registry.UnknownKind, match=r"has no option 'step', did you mean 'steps'\?"):
        registry.build(registry.IMAGE_GENERATORS, "diffusers", {"step": 3})


def test_an_option_that_is_needed_is_named() -> None:
    with pytest.raises(registry.UnknownKind, match="kind 'vision_judge' needs the option 'model'"):
        registry.build(registry.GATES, "vision_judge", {})


def test_a_kind_by_its_former_name_is_the_kind_of_today() -> None:
    assert registry.problems(registry.ENCODERS, "penultimate", {"classifier": "examiner"}) == {}
    former = registry.build(registry.ENCODERS, "penultimate", {})
    assert type(former) is registry.factory_of(registry.ENCODERS, "classifier-features")
    assert Rules(encoder="penultimate") == Rules()
