"""Options as strict models, and how a wrong value is worded."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

LONGEST = 80
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_CLOCK = re.compile(r"[-+]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?")
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?")
_OTHER_BOOLEANS = ("yes", "no", "on", "off", "y", "n")
_PLAIN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

Count = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=16, le=4096)]
"""Of a film, in pixels."""
Share = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Mass = Annotated[float, Field(gt=0, le=1)]
"""Of a distribution that is sampled from, as in `top_p`."""
Amount = Annotated[float, Field(ge=0)]
"""Of money."""


def _at_home(path: str | Path) -> str | Path:
    return Path(path).expanduser() if isinstance(path, str) and path.startswith("~") else path


AnyPath = Annotated[str | Path, AfterValidator(_at_home)]
"""A file or a folder; a leading ``~`` is the home folder."""


def _server(value: str) -> str:
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or value != value.strip():
        raise ValueError(f"{quoted(value)} is no address of a server, such as http://127.0.0.1:8000/v1")
    return value


ServerAddress = Annotated[str, AfterValidator(_server)]


class Options(BaseModel):
    """What a kind takes: each option with its type, its range, its default and what it means.

    Types are strict: "3" is no number.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=(),
        arbitrary_types_allowed=True,
    )  # fmt: skip


def wrong_options(model: type[Options], options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What `model` could not take of `options`: the option's dotted name and what is wrong with its value.

    Where options are right each by itself, but not together, the name is "".
    """
    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        found: dict[str, str] = {}
        for item in error.errors(include_url=False):
            found.setdefault(_path(item["loc"]), worded(item))  # of a union the first member's error is taken
        return list(found.items())
    return []


def construct(factory: Callable[..., Any], options: Options) -> Any:
    """What `factory` makes with `options`, which are of its `options_model`."""
    if hasattr(factory, "options_model"):
        return factory(options)
    return factory(**{name: getattr(options, name) for name in options.model_fields_set})


@lru_cache
def options_model(factory: Callable[..., Any]) -> type[Options]:
    """The options of `factory`: the model that its class names, else one with a field for each parameter.

    Of a parameter it takes the type, with the ranges that ``Annotated`` gives it, the default, and its
    description under ``Args`` of the class's docstring.
    """
    if hasattr(factory, "options_model"):
        return factory.options_model  # pyright: ignore[reportFunctionMemberAccess]
    made = factory.__init__ if isinstance(factory, type) else factory
    hints = {} if made is object.__init__ else get_type_hints(made, include_extras=True)
    descriptions = _described(inspect.getdoc(factory) or "")
    fields: dict[str, Any] = {
        name: (
            hints.get(name, Any),
            Field(
                ... if parameter.default is parameter.empty else parameter.default, description=descriptions.get(name)
            ),
        )
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind not in _PLAIN
    }
    build: Any = create_model
    return build(f"{getattr(factory, '__name__', '')}Options", __base__=Options, **fields)


def _described(doc: str) -> dict[str, str]:
    """The descriptions of parameters under ``Args`` of a docstring, each on one line."""
    _, _, listed = doc.partition("\nArgs:\n")
    entries = re.findall(r"^    (\w+(?:, \w+)*): (.+(?:\n     +.+)*)", listed.partition("\n\n")[0], re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}


def one_of(*known: str) -> AfterValidator:
    """A text that must be one of `known`; None passes."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in known:
            raise ValueError(f"unknown value {quoted(value)}{suggest(value, known)}; known: {', '.join(known)}")
        return value

    return AfterValidator(check)


def not_among(*refused: str) -> AfterValidator:
    """A mapping that must not have certain keys."""

    def check(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        found = [name for name in value or {} if name in refused]
        if found:
            raise ValueError(f"{quoted(found[0])} is not taken here")
        return value

    return AfterValidator(check)


def worded(item: Mapping[str, Any]) -> str:
    """One of pydantic's errors in words: the value, what is allowed, and the remedy where one is known."""
    value, kind = item["input"], item["type"]
    if kind == "extra_forbidden":
        return "unknown"
    if kind == "missing":
        return "missing, and it has no default"
    if kind == "value_error":
        return item["msg"].removeprefix("Value error, ")
    allowed = item["msg"].replace("Input should be", "must be").replace("String should", "must")
    choices = re.findall(r"'([^']*)'", str(item.get("ctx", {}).get("expected", "")))
    near = suggest(value, choices) if isinstance(value, str) else ""
    return f"{quoted(value)} is not allowed: {allowed}{near}{_remedy(kind, value)}"


def _remedy(kind: str, value: Any) -> str:
    if kind == "string_type":
        return "" if isinstance(value, dict) else "; put it in quotes"
    if not isinstance(value, str):
        return ""
    if kind.startswith("bool"):
        return "; write true or false" if value.lower() in _OTHER_BOOLEANS else ""
    if not kind.startswith(("int", "float")):
        return ""
    if _OCTAL.fullmatch(value):
        sign, digits = value[:1] if value[:1] in "+-" else "", value.lstrip("+-0_")
        return f"; a number begins with no zero: write {sign}{digits or 0}"
    if _CLOCK.fullmatch(value):
        return "; a number has no colon"
    if value.lower() in _OTHER_BOOLEANS:
        return "; it is a word"
    return "; take the quotes off" if _NUMBER.fullmatch(value) else ""


def quoted(value: object) -> str:
    """A value as a message shows it; a long one is cut."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a whole number of thousands of digits, or a list in itself
        return f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def suggest(word: str, known: Iterable[str]) -> str:
    """``, did you mean 'x'?``, or nothing."""
    near = difflib.get_close_matches(word[:LONGEST], list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _path(loc: Iterable[str | int]) -> str:
    """Dotted, without the members of a union and the marks of keys, which no profile names."""
    return ".".join(str(part) for part in loc if part != "str" and "[" not in str(part))
