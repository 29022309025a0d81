"""Load a recipe from a profile and overrides, and dump it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from models.typed import worded
from storage.plain import is_dict
from tasks.recipe import retired
from tasks.recipe.errors import RecipeError, did_you_mean, nearest, quoted
from tasks.recipe.overrides import Override, apply_override, parse_override
from tasks.recipe.paths import published
from tasks.recipe.presets import forget_defaults, with_preset
from tasks.recipe.problems import Loc, own_mistakes
from tasks.recipe.reading import non_json, read_mapping
from tasks.recipe.schema import Recipe
from tasks.recipe.secrets import secrets_in

SUFFIXES = (".yaml", ".yml")
_ROUNDS = 8
"""So often a value that is wrong is left out, to find what else is."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A profile with its overrides, sound or not.

    Args:
        where: the profile and the overrides, as messages name them.
        recipe: the recipe, or what is left of it without the wrong values; None where too little is left.
        problems: everything that the schema refuses.
    """

    where: str
    recipe: Recipe | None
    problems: tuple[str, ...]


def load_recipe(profile: str, overrides: Sequence[str], profiles_dir: Path) -> Recipe:
    """The recipe that `profile` and `overrides` name.

    Args:
        profile: a name in `profiles_dir`, or the path of a YAML file.
        overrides: ``a.b=c`` each; `c` is YAML, so lists and mappings are allowed; an item of a list is
            named by its number (``image_gates.1.threshold=0.1``). They are applied in order to the complete
            recipe, defaults included.
        profiles_dir: the folder that holds the named profiles.

    Raises:
        RecipeError: unknown profile or key, bad value, bad YAML, a password; all problems at once.
    """
    draft = draft_recipe(profile, overrides, profiles_dir)
    if draft.recipe is None or draft.problems:
        raise RecipeError(draft.where, draft.problems)
    return draft.recipe


def draft_recipe(profile: str, overrides: Sequence[str], profiles_dir: Path) -> Draft:
    """As `load_recipe`, but with the problems beside the recipe, so that the rest can be checked too.

    Raises:
        RecipeError: there is no such profile, or it is no mapping.
    """
    path = find_profile(profile, profiles_dir)
    where = _named(profile)
    data = read_mapping(path, where)
    data.setdefault("profile", path.stem)
    changes, problems = _parse_all(overrides)
    whole, wrong = _salvaged(with_preset(data))
    if whole is None:
        return Draft(where, None, (*wrong, *problems))
    problems = [*wrong, *problems]
    if overrides:
        where = f"{where} with {', '.join(f'--set {text}' for text in overrides)}"
        base = whole.model_dump(mode="json")
        for change in changes:
            problems += apply_override(base, change)
        forget_defaults(base, data, changes)
        whole, wrong = _salvaged(with_preset(base), changes)
        problems += wrong
    if whole is not None:
        problems += secrets_in(whole.model_dump(mode="json"))
    return Draft(where, whole, tuple(problems))


def parse_recipe(data: dict[str, Any], where: str = "recipe") -> Recipe:
    """The recipe that a plain mapping holds, such as the stored ``recipe.yaml``, also one of an earlier spelling.

    Raises:
        RecipeError: unknown key or bad value.
    """
    recipe, problems = _salvaged(retired.upgraded(data))
    if recipe is None or problems:
        raise RecipeError(where, problems)
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Canonical YAML with every field spelt out, in schema order; `load_recipe` and `parse_recipe` read it."""
    return _yaml(recipe.model_dump(mode="json"))


def dump_published(recipe: Recipe) -> str:
    """`dump_recipe` for the store and for MLflow: of the absolute paths of this machine only the last part stays."""
    return _yaml(published(recipe.model_dump(mode="json")))


def _yaml(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=119)  # pyright: ignore[reportUnknownMemberType]


def find_profile(profile: str, profiles_dir: Path) -> Path:
    """The file of a profile name or path.

    Raises:
        RecipeError: there is none; the known names are listed and the nearest suggested.
    """
    where = _named(profile)
    if _is_path(profile):
        try:
            path = Path(profile).expanduser()
            path.stat()
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, no such user, a zero byte
            why = "no such file" if isinstance(error, FileNotFoundError) else getattr(error, "strerror", None) or error
            raise RecipeError(where, [str(why)]) from None
        return path
    known = sorted(path.stem for path in profiles_dir.glob("*.yaml"))
    if profile not in known:
        listed = ", ".join(known) or f"none, {profiles_dir} holds no profile"
        raise RecipeError(where, [f"unknown profile{did_you_mean(profile, known)} Known: {listed}"])
    return profiles_dir / f"{profile}.yaml"


def _is_path(profile: str) -> bool:
    return "/" in profile or profile.endswith(SUFFIXES)


def _named(profile: str) -> str:
    """A profile as messages name it: a path in whole, as files differ at its end."""
    return f"profile '{profile}'" if _is_path(profile) else f"profile {quoted(profile)}"


def _parse_all(overrides: Sequence[str]) -> tuple[list[Override], list[str]]:
    changes: list[Override] = []
    problems: list[str] = []
    for text in overrides:
        try:
            changes.append(parse_override(text))
        except RecipeError as error:
            problems += [f"--set {text}: {line}" for line in error.problems]
    return changes, problems


def _salvaged(data: Any, changes: Sequence[Override] = ()) -> tuple[Recipe | None, list[str]]:
    """The recipe that `data` holds, in part where values are wrong, and what is wrong."""
    problems = non_json(data)
    if problems:
        return None, problems
    data = json.loads(json.dumps(data))
    left_out: list[Loc] = []
    for turn in range(_ROUNDS):
        try:
            # JSON and strict: 512 is a number, "512" and true are not, and a list still becomes a tuple.
            return Recipe.model_validate_json(json.dumps(data), strict=True), problems
        except ValidationError as error:
            as_text = [change for change in changes if _wants_text(error, change)]
            if as_text:
                # `--set version=2` means the text "2": a shell has eaten the quotes.
                for change in as_text:
                    apply_override(data, Override(change.path, change.raw, change.raw))
                changes = ()
                continue
            # Later turns also meet gaps that this function has made.
            real = [item for item in error.errors() if turn == 0 or item["type"] != "missing"]
            mistakes = own_mistakes([dict(item) for item in real], data, left_out)
            problems += [line for line in map(_describe, mistakes) if line not in problems]
            left_out += [item["loc"] for item in error.errors()]
            taken = [_leave_out(data, item["loc"]) for item in error.errors()]
            if not all(taken):
                break
    return None, problems


def _leave_out(data: dict[str, Any], loc: Sequence[str | int]) -> bool:
    """Take what is wrong out of `data`, with the whole list that it stands in; False where nothing is left to take."""
    node: Any = data
    holder: dict[str, Any] | None = None
    last = ""
    for part in loc:
        if not is_dict(node) or (key := str(part)) not in node:
            break
        holder, last, node = node, key, node[key]
    if holder is None:
        field = Recipe.model_fields.get(str(loc[0])) if loc else None
        if field is not None and field.is_required():
            data[str(loc[0])] = []  # a list without a default
        return bool(loc)
    del holder[last]
    return True


def _wants_text(error: ValidationError, change: Override) -> bool:
    scalar = isinstance(change.value, int | float)
    return scalar and any(
        item["type"] == "string_type" and tuple(map(str, item["loc"])) == change.path for item in error.errors()
    )


def _describe(item: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a line."""
    loc = tuple(map(str, item["loc"]))
    path = ".".join(loc)
    if item["type"] == "extra_forbidden":
        now = retired.remedy(path)
        return f"{path}: {now}" if now else f"{path}: unknown key{_suggest(loc)}"
    now = retired.reshaped(path, item["input"])
    if now:
        return f"{path}: {now}"
    return f"{path}: {worded(item)}" if path else worded(item)


def _suggest(loc: tuple[str, ...]) -> str:
    *parents, key = loc
    siblings = _fields(Recipe, parents)
    field = next((name for name, values in _choices(Recipe, parents).items() if key in values), None)
    if field:
        return f"; did you mean {field}: {key}?"
    near = nearest(key, siblings)
    if near:
        return f"; did you mean {'.'.join([*parents, near])}?"
    elsewhere = {path.rpartition(".")[2]: path for path in _paths(Recipe)}
    near = nearest(key, elsewhere, cutoff=0.75)  # far from here, so it has to be closer in its name
    if near:
        return f"; did you mean {elsewhere[near]}?"
    return f". Known here: {', '.join(siblings)}" if siblings else ""


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The section class in an annotation such as ``Section`` or ``tuple[Section, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in get_args(annotation) if (model := _model_of(arg))), None)


def _fields(model: type[BaseModel], parents: Sequence[str]) -> list[str]:
    found = _section(model, parents)
    return list(found.model_fields) if found else []


def _choices(model: type[BaseModel], parents: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """The words that each field of a section takes, of those that take words of a list."""
    found = _section(model, parents)
    fields = found.model_fields.items() if found else ()
    return {name: get_args(field.annotation) for name, field in fields if get_origin(field.annotation) is Literal}


def _section(model: type[BaseModel], parents: Sequence[str]) -> type[BaseModel] | None:
    """The section that `parents` lead to; None where they lead to none."""
    is_name = False  # of a mapping from names to sections, such as the arms
    for part in parents:
        if part.isdigit() or is_name:
            is_name = False
            continue
        field = model.model_fields.get(part)
        inner = _model_of(field.annotation) if field else None
        if field is None or inner is None:
            return None
        model, is_name = inner, str(field.annotation).startswith("dict")
    return None if is_name else model


def _paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        paths.append(prefix + name)
        if inner is not None and not str(field.annotation).startswith(("tuple", "dict")):
            paths += _paths(inner, f"{prefix}{name}.")
    return paths
