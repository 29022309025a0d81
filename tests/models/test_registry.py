"""Kinds are found by name; a mistake names the nearest."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

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


def test_an_option_by_its_former_name_is_the_option_of_today() -> None:
    assert registry.problems(registry.GATES, "memorisation", {"memory": "a"}) == {}
    assert registry.current_options("memorisation", {"memory": "a", "encoder": "film"}) == {
        "index": "a",
        "encoder": "film",
    }
    twice = registry.problems(registry.GATES, "memorisation", {"memory": "a", "index": "b"})
    assert "has no option 'memory'" in twice["options.memory"]
    assert registry.former_option("memorisation", "index") == "memory"
    assert registry.former_option("bad_bank", "index") == "index"


KINDS = [(table, kind) for table, kinds in registry.TABLES.items() for kind in kinds]


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_the_schema_of_every_kind_describes_every_option_and_takes_no_other(table: str, kind: str) -> None:
    schema = registry.schemas()[table][kind]
    assert (schema["title"], schema["type"], schema["additionalProperties"]) == (kind, "object", False)
    assert schema["description"].strip()
    for name, option in schema["properties"].items():
        assert option.get("description", "").strip(), f"{kind}: {name} is not described"
        assert ("default" in option) != (name in schema.get("required", [])), f"{kind}: {name}"


def test_schemas_hold_no_path_of_this_machine() -> None:
    assert str(Path.cwd()) not in json.dumps(registry.schemas())
    assert registry.schemas()["film_gates"]["bad_bank"]["properties"]["bank"]["default"].startswith("models/assets/")


def test_options_that_do_not_go_together_are_told_with_the_kind() -> None:
    wrong = registry.problems(registry.REPORT_GENERATORS, "vllm", {"max_tokens": 300, "max_model_len": 256})
    assert wrong == {"options": "kind 'vllm': max_tokens is 300, but max_model_len is only 256: lower the first"}
    with pytest.raises(registry.UnknownKind, match=r"^kind 'vllm': max_tokens is 300"):
        registry.build(registry.REPORT_GENERATORS, "vllm", {"max_tokens": 300, "max_model_len": 256})


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_no_constructor_of_a_kind_takes_more_than_six_parameters(table: str, kind: str) -> None:
    assert len(inspect.signature(registry.factory_of(registry.TABLES[table], kind)).parameters) <= 6
