"""Load a recipe from a profile and overrides, and dump it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from tasks.recipe.errors import RecipeError, did_you_mean, nearest
from tasks.recipe.overrides import Override, apply_override, parse_override
from tasks.recipe.reading import non_json, read_mapping
from tasks.recipe.schema import Recipe

SUFFIXES = (".yaml", ".yml")


def load_recipe(profile: str, overrides: Sequence[str], profiles_dir: Path) -> Recipe:
    """The recipe that `profile` and `overrides` name.

    Args:
        profile: a name in `profiles_dir`, or the path of a YAML file.
        overrides: ``a.b=c`` each; `c` is YAML, so lists and mappings are allowed; an item of a list is
            named by its number (``image_gates.1.threshold=0.1``). They are applied in order to the complete
            recipe, defaults included.
        profiles_dir: the folder that holds the named profiles.

    Raises:
        RecipeError: unknown profile or key, bad value, bad YAML; all problems of one step at once.
    """
    path = find_profile(profile, profiles_dir)
    where = f"profile {str(profile)!r}"
    data = read_mapping(path, where if path.stem == profile else f"{where} ({path})")
    data.setdefault("profile", path.stem)
    changes, problems = _parse_all(overrides)
    try:
        base = _validate(data, where).model_dump(mode="json")
    except RecipeError as error:
        raise RecipeError(where, [*error.problems, *problems]) from None
    if not changes and not problems:
        return Recipe.model_validate_json(json.dumps(base))
    where = f"{where} with {', '.join(f'--set {text}' for text in overrides)}"
    for change in changes:
        problems += apply_override(base, change)
    if problems:
        raise RecipeError(where, problems)
    return _validate(base, where, changes)


def parse_recipe(data: dict[str, Any], where: str = "recipe") -> Recipe:
    """The recipe that a plain mapping holds, such as the stored ``recipe.yaml``.

    Raises:
        RecipeError: unknown key or bad value.
    """
    return _validate(data, where)


def dump_recipe(recipe: Recipe) -> str:
    """Canonical YAML with every field spelt out, in schema order; `load_recipe` and `parse_recipe` read it."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=119)


def find_profile(profile: str, profiles_dir: Path) -> Path:
    """The file of a profile name or path.

    Raises:
        RecipeError: there is none; the known names are listed and the nearest suggested.
    """
    if "/" in profile or profile.endswith(SUFFIXES):
        path = Path(profile).expanduser()
        if path.is_file():
            return path
        raise RecipeError(f"profile {profile!r}", ["no such file"])
    known = sorted(path.stem for path in profiles_dir.glob("*.yaml"))
    if profile not in known:
        listed = ", ".join(known) or f"none, {profiles_dir} holds no profile"
        raise RecipeError(f"profile {profile!r}", [f"unknown profile{did_you_mean(profile, known)} Known: {listed}"])
    return profiles_dir / f"{profile}.yaml"


def _parse_all(overrides: Sequence[str]) -> tuple[list[Override], list[str]]:
    changes, problems = [], []
    for text in overrides:
        try:
            changes.append(parse_override(text))
        except RecipeError as error:
            problems += [f"--set {text}: {line}" for line in error.problems]
    return changes, problems


def _validate(data: dict[str, Any], where: str, changes: Sequence[Override] = ()) -> Recipe:
    problems = non_json(data)
    if problems:
        raise RecipeError(where, problems)
    try:
        # JSON and strict: 512 is a number, "512" and true are not, and a list still becomes a tuple.
        return Recipe.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        as_text = [change for change in changes if _wants_text(error, change)]
        if as_text:
            # `--set version=2` means the text "2": a shell has eaten the quotes.
            for change in as_text:
                apply_override(data, Override(change.path, change.raw, change.raw))
            return _validate(data, where)
        raise RecipeError(where, _describe(error)) from error


def _wants_text(error: ValidationError, change: Override) -> bool:
    scalar = isinstance(change.value, int | float)
    return scalar and any(
        item["type"] == "string_type" and tuple(map(str, item["loc"])) == change.path for item in error.errors()
    )


def _describe(error: ValidationError) -> list[str]:
    lines = []
    for item in error.errors():
        loc = tuple(map(str, item["loc"]))
        path = ".".join(loc)
        if item["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown key{_suggest(loc)}")
        elif item["type"] == "missing":
            lines.append(f"{path}: missing, and it has no default")
        elif item["type"] == "value_error":
            text = item["msg"].removeprefix("Value error, ")
            lines.append(f"{path}: {text}" if path else text)
        else:
            allowed = item["msg"].replace("Input should be", "must be").replace("String should", "must")
            hint = (
                "; put it in quotes" if item["type"] == "string_type" and not isinstance(item["input"], dict) else ""
            )
            lines.append(f"{path}: {item['input']!r} is not allowed: {allowed}{hint}")
    return lines


def _suggest(loc: tuple[str, ...]) -> str:
    *parents, key = loc
    siblings = _fields(Recipe, parents)
    near = nearest(key, siblings)
    if near:
        return f"; did you mean {'.'.join([*parents, near])}?"
    elsewhere = {path.rpartition(".")[2]: path for path in _paths(Recipe)}
    near = nearest(key, elsewhere)
    if near:
        return f"; did you mean {elsewhere[near]}?"
    return f". Known here: {', '.join(siblings)}" if siblings else ""


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The section class in an annotation such as ``Section`` or ``tuple[Section, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in getattr(annotation, "__args__", ()) if (model := _model_of(arg))), None)


def _fields(model: type[BaseModel], parents: Sequence[str]) -> list[str]:
    for part in parents:
        if part.isdigit():
            continue
        field = model.model_fields.get(part)
        inner = _model_of(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    paths = []
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        paths.append(prefix + name)
        if inner is not None and not str(field.annotation).startswith("tuple"):
            paths += _paths(inner, f"{prefix}{name}.")
    return paths
