"""Every flow shows the fields of its form as flat parameters, in Prefect's schema and in its deployments."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.parameters import FlowParameters, factory_flow
from flows.services.home import REPOSITORY

FIELDS = ["profile", "pairs", "dataset", "seed", "engine", "storage_root", "overrides", "recipe", "parent_run"]
DEPLOYMENTS = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]


class ToyForm(BaseModel):
    """A form with a field that must be given, and one with bounds."""

    model_config = ConfigDict(frozen=True)
    place: str = Field(description="Where it is.")
    size: int = Field(default=8, gt=0, description="How large it is.")


@factory_flow(ToyForm, "{place}")
def toy(form: ToyForm) -> str:
    """Do next to nothing."""
    return f"{form.place} {form.size}"


@pytest.mark.parametrize("name", ["generate", "curate", "pretrain", "evaluate", "synth"])
def test_the_form_is_flat_and_every_field_is_explained(name: str) -> None:
    flow: Flow[..., Any] = getattr(importlib.import_module(f"flows.{name}"), name)
    schema = parameter_schema(flow).model_dump()
    assert list(schema["properties"]) == FIELDS + ["of"] * (name == "curate")
    assert schema["required"] == []
    assert schema["properties"]["profile"]["default"] == "local"
    assert schema["properties"]["overrides"] == {
        "type": "array", "items": {"type": "string"}, "default": [], "title": "overrides", "position": 6,
        "description": FlowParameters.model_fields["overrides"].description,
    }  # fmt: skip
    assert [name for name, field in schema["properties"].items() if not field.get("description")] == []
    assert flow.description is not None
    assert "Args:" not in flow.description


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: f"{one['entrypoint']}/{one['name']}")
def test_every_deployment_names_a_flow_and_fields_of_its_form(
    deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    asked = {"source": "nih:x"} if flow.name == "ingest" else {}  # whoever starts it fills this in
    told = flow.validate_parameters({**deployment["parameters"], **asked})
    assert told["profile"] == deployment["parameters"]["profile"]


def test_a_form_keeps_its_required_fields_and_bounds() -> None:
    schema = parameter_schema(toy).model_dump()
    assert schema["required"] == ["place"]
    assert schema["properties"]["size"]["exclusiveMinimum"] == 0
    assert toy.flow_run_name == "toy-{place}"
    assert toy.fn(place="here") == "here 8"
    with pytest.raises(ValidationError):
        toy.fn(place="here", size=0)


def test_empty_fields_leave_the_profile_as_it_is() -> None:
    assert FlowParameters().changes() == []
    asked = FlowParameters(pairs=8, storage_root="here", overrides=("seed=3",))
    assert asked.changes() == ["pairs=8", "storage.root=here", "seed=3"]
