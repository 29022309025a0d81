"""Options are checked by the types of the factory that takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from models import registry
from models.typed import Count, ServerAddress, Share, not_among, one_of, options_model, quoted, wrong_options

TABLES = (registry.REPORT_GENERATORS, registry.IMAGE_GENERATORS, registry.GATES, registry.ENCODERS)


class Painter:
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
    found = wrong_options(Painter, {"model": "m"} | options)
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
    assert [path for path, _ in wrong_options(Painter, {"steps": 0, "share": 2, "x": 1})] == [
        "model",
        "steps",
        "share",
        "x",
    ]


@pytest.mark.parametrize("options", [{"share": 1}, {"folder": Path("x")}, {"name": None}, {"more": {"a": [1]}}])
def test_a_right_value_passes(options: dict[str, Any]) -> None:
    assert wrong_options(Painter, {"model": "m"} | options) == []
    assert wrong_options(Plain, {}) == []


@pytest.mark.parametrize(("table", "kind"), [(table, kind) for table in TABLES for kind in table])
def test_every_default_of_every_kind_is_a_value_that_its_option_takes(table: Mapping[str, str], kind: str) -> None:
    factory = registry.factory_of(table, kind)
    fields = options_model(factory).model_fields.items()
    defaults = {field.alias or name: field.default for name, field in fields if not field.is_required()}
    assert [what for what in wrong_options(factory, defaults) if not what[1].startswith("missing")] == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/v1", "https://host", "http://[::1]:9000"])
def test_an_address_of_a_server_passes(address: str) -> None:
    def ask(base_url: ServerAddress) -> None:
        del base_url

    assert wrong_options(ask, {"base_url": address}) == []


@pytest.mark.parametrize(
    "address", ["", "localhost:9000", "http://", "ftp://host", "http://host:x", " http://host", "http://h:0"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    def ask(base_url: ServerAddress) -> None:
        del base_url

    assert "is no address of a server" in wrong_options(ask, {"base_url": address})[0][1]


def test_a_value_is_shown_in_short() -> None:
    assert len(quoted("x" * 10_000)) < 100
    assert quoted(10**5000) == "a int"
