"""Passwords do not come into a recipe, and no message repeats them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import load_recipe

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"
OPENAI = "reports.generator={kind: openai, options: {model: m, base_url: '%s'}}"


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ("tracking.uri=http://ann:CANARY@host:5000", "tracking.uri", "MLFLOW_TRACKING_USERNAME"),
        ("tracking.uri=sqlite:////tmp/a.db?password=CANARY", "tracking.uri", "MLFLOW_TRACKING_PASSWORD"),
        ("storage.endpoint=https://key:CANARY@host", "storage.endpoint", "AWS_SECRET_ACCESS_KEY"),
        ("storage.root=s3://bucket/x?X-Amz-Signature=CANARY", "storage.root", "AWS_ACCESS_KEY_ID"),
        (OPENAI % "http://u:CANARY@host/v1", "reports.generator.options.base_url", "api_key_variable"),
        (OPENAI % "http://host/v1?api_key=CANARY", "reports.generator.options.base_url", "api_key_variable"),
        (
            "reports.generator.options.engine={hf_token: CANARY}",
            "reports.generator.options.engine.hf_token",
            "HF_TOKEN",
        ),
        ("images.generator.options.password=CANARY", "images.generator.options.password", "environment"),
    ],
)
def test_a_secret_is_refused_with_the_place_where_it_belongs(change: str, field: str, remedy: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("local", [change], PROFILES)
    assert any(line.startswith(f"{field}: ") and remedy in line for line in caught.value.problems)


@pytest.mark.parametrize(
    "change",
    [
        "tracking.uri=http://ann:CANARY@host:5000",
        "pairs=http://ann:CANARY@host:5000",
        "tracking=[http://ann:CANARY@host]",
        "x=http://host?token=CANARY",
        "http://ann:CANARY@host",
        "http://ann:CANARY@host=[",
    ],
)
def test_no_message_repeats_the_secret_of_an_address(change: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("local", [change], PROFILES)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None, "the cause would be printed with its input"


@pytest.mark.parametrize(
    "change",
    ["reports.generator={kind: openai, options: {model: m, base_url: 'http://h/v1', token_budget: 5}}",
     "reports.generator.options.max_tokens=300", "reports.generator.options.engine={use_token: true}"],
)  # fmt: skip
def test_names_that_only_sound_like_secrets_pass(change: str) -> None:
    load_recipe("local", [change], PROFILES)
