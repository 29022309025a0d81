"""Whatever a profile calls things, MLflow takes the name, and no password goes along."""

from __future__ import annotations

import pytest
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from tasks.track import names

ODD = [
    "",
    "%",
    "a%b",
    "a:b",
    "🩻",
    "a//b",
    "/a",
    "a/",
    "./a",
    "../a",
    "a/../b",
    "...",
    "x" * 400,
    "a\nb",
    "a\x1bb",
    "\ud800",
]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_made_one_that_mlflow_takes(name: str) -> None:
    made = names.key(name)
    assert len(made) <= 250
    _validate_metric_name(made)
    _validate_param_name(made)


def test_a_usual_name_stays() -> None:
    for name in (
        "auroc.pleural effusion",
        "recipe.images.generator.options.size",
        "rejected.no_extra_finding",
        "a: b/c",
    ):
        assert names.key(name) == name


def test_different_names_stay_different() -> None:
    assert len({names.key(name) for name in (*ODD, "a&b", "x" * 401)}) == len(ODD) + 2


def test_a_value_has_no_password_and_no_control_character_and_an_end() -> None:
    assert names.value("postgresql://me:CANARY@host/db?x=1", 100) == "postgresql://***@host/db?x=1"
    assert names.value("a\x00b\x1b[31mc\ttab\nline", 100) == "a\\x00b\\x1b[31mc\ttab\nline"
    assert names.value("\ud800", 10) == "\\ud800"
    assert names.value("x" * 11, 10) == "x" * 9 + "…"
    assert names.value(None, 10) == "None"


def test_a_title_is_one_line() -> None:
    assert names.title("two\nlines \x07 🩻") == "two lines \\x07 🩻"
    long = {names.title("x" * 600), names.title("x" * 601)}
    assert {len(title) for title in long} == {500}
    assert len(long) == 2
