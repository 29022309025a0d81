"""Options are checked by a schema of their own, and told in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import ValidationError, model_validator

from models import registry
from models.typed import (
    AnyPath,
    Count,
    Options,
    ServerAddress,
    Share,
    construct,
    not_among,
    one_of,
    options_model,
    quoted,
    wrong_options,
)  # fmt: skip

TABLES = (registry.REPORT_GENERATORS, registry.IMAGE_GENERATORS, registry.GATES, registry.ENCODERS)


class ImageMaker:
    def __init__(
        self,
        model: str,
        steps: Count = 4,
        share: Share = 0.5,
        mode: Literal["fast", "slow"] = "fast",
        name: Annotated[str | None, one_of("ddim", "euler")] = None,
        folder: str | Path = "here",
        words: Sequence[str] = (),
        more: Annotated[Mapping[str, Any] | None, not_among("code")] = None,
        compile: bool = False,
    ) -> None:
        """Takes options of every kind."""


class Plain:
    """Takes none."""


def only(**options: Any) -> str:
    found = wrong_options(options_model(ImageMaker), {"model": "m"} | options)
    assert len(found) == 1
    return f"{found[0][0]}: {found[0][1]}"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"steps": "3"}, "steps: '3' is not allowed: must be a valid integer; take the quotes off"),
        (
            {"steps": "010"},
            "steps: '010' is not allowed: must be a valid integer; a number begins with no zero: write 10",
        ),
        (
            {"steps": "-007"},
            "steps: '-007' is not allowed: must be a valid integer; a number begins with no zero: write -7",
        ),
        (
            {"steps": "00"},
            "steps: '00' is not allowed: must be a valid integer; a number begins with no zero: write 0",
        ),
        ({"steps": "1:30"}, "steps: '1:30' is not allowed: must be a valid integer; a number has no colon"),
        ({"steps": "no"}, "steps: 'no' is not allowed: must be a valid integer; it is a word"),
        ({"steps": True}, "steps: True is not allowed: must be a valid integer"),
        ({"steps": 2.0}, "steps: 2.0 is not allowed: must be a valid integer"),
        ({"steps": 0}, "steps: 0 is not allowed: must be greater than or equal to 1"),
        ({"share": float("nan")}, "share: nan is not allowed: must be a finite number"),
        ({"share": 2}, "share: 2 is not allowed: must be less than or equal to 1"),
        ({"mode": "fats"}, "mode: 'fats' is not allowed: must be 'fast' or 'slow', did you mean 'fast'?"),
        ({"name": "dimm"}, "name: unknown value 'dimm', did you mean 'ddim'?; known: ddim, euler"),
        ({"folder": 3}, "folder: 3 is not allowed: must be a valid string; put it in quotes"),
        ({"words": "abc"}, "words: 'abc' is not allowed: 'str' instances are not allowed as a Sequence value"),
        ({"words": ["a", 1]}, "words.1: 1 is not allowed: must be a valid string; put it in quotes"),
        ({"more": {"code": 1}}, "more: 'code' is not taken here"),
        ({"compile": "yes"}, "compile: 'yes' is not allowed: must be a valid boolean; write true or false"),
        ({"stepz": 1}, "stepz: unknown"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed_and_the_remedy(options: dict[str, Any], told: str) -> None:
    assert only(**options) == told


def test_all_that_is_wrong_comes_at_once() -> None:
    assert [path for path, _ in wrong_options(options_model(ImageMaker), {"steps": 0, "share": 2, "x": 1})] == [
        "model",
        "steps",
        "share",
        "x",
    ]


@pytest.mark.parametrize("options", [{"share": 1}, {"folder": Path("x")}, {"name": None}, {"more": {"a": [1]}}])
def test_a_right_value_passes(options: dict[str, Any]) -> None:
    assert wrong_options(options_model(ImageMaker), {"model": "m"} | options) == []
    assert wrong_options(options_model(Plain), {}) == []


@pytest.mark.parametrize(("table", "kind"), [(table, kind) for table in TABLES for kind in table])
def test_every_default_of_every_kind_is_a_value_that_its_option_takes(table: Mapping[str, str], kind: str) -> None:
    model = options_model(registry.factory_of(table, kind))
    defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    assert [what for what in wrong_options(model, defaults) if not what[1].startswith("missing")] == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/v1", "https://host", "http://[::1]:9000"])
def test_an_address_of_a_server_passes(address: str) -> None:
    def ask(base_url: ServerAddress) -> None:
        del base_url

    assert wrong_options(options_model(ask), {"base_url": address}) == []


@pytest.mark.parametrize(
    "address", ["", "localhost:9000", "http://", "ftp://host", "http://host:x", " http://host", "http://h:0"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    def ask(base_url: ServerAddress) -> None:
        del base_url

    assert "is no address of a server" in wrong_options(options_model(ask), {"base_url": address})[0][1]


def test_a_value_is_shown_in_short() -> None:
    assert len(quoted("x" * 10_000)) < 100
    assert quoted(10**5000) == "a int"


class Documented:
    """A kind whose constructor says everything.

    Args:
        steps: how many,
            on two lines.
        low, high: bounds.
        where: a folder.

    Raises:
        ValueError: never.
    """

    def __init__(self, steps: Count = 4, low: int = 0, high: int = 1, where: AnyPath = "~/here") -> None:
        self.steps, self.low, self.high, self.where = steps, low, high, where


class OwnOptions(Options):
    low: int = 0
    high: int = 1

    @model_validator(mode="after")
    def _in_order(self) -> OwnOptions:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) is above high ({self.high})")
        return self


class Own:
    options_model = OwnOptions

    def __init__(self, options: OwnOptions) -> None:
        self.options = options


def test_a_constructor_gives_its_options_with_what_its_docstring_says_of_them() -> None:
    fields = options_model(Documented).model_fields
    assert {name: field.description for name, field in fields.items()} == {
        "steps": "how many, on two lines.", "low": "bounds.", "high": "bounds.", "where": "a folder.",
    }  # fmt: skip
    assert options_model(Documented).model_json_schema()["properties"]["steps"]["minimum"] == 1


def test_a_constructor_gets_only_what_was_given_and_a_folder_at_home_whole() -> None:
    made = construct(Documented, options_model(Documented).model_validate({"where": "~/there", "high": 3}))
    assert (made.steps, made.low, made.high, made.where) == (4, 0, 3, Path.home() / "there")


def test_a_kind_may_name_a_model_of_its_own_and_takes_it_whole() -> None:
    assert options_model(Own) is OwnOptions
    assert construct(Own, OwnOptions(low=1)).options == OwnOptions(low=1, high=1)
    assert wrong_options(OwnOptions, {"low": 2}) == [("", "low (2) is above high (1)")]
    assert wrong_options(OwnOptions, {"low": "2"})[0][0] == "low"


def test_options_are_frozen_and_hold_nothing_unknown() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        OwnOptions().low = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        OwnOptions.model_validate({"lower": 3})
