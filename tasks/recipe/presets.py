"""What a profile leaves open is filled by the preset of its objective (`models.vlp.objectives.presets`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.vlp.objectives.presets import CHANGEABLE, PRESETS
from models.vlp.text import Text
from storage.plain import is_dict
from tasks.recipe.overrides import Override
from tasks.recipe.training import standard_arms


def with_preset(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe as a plain mapping, with what its objective's preset adds to ``pretrain``.

    Arms without a text read the preset's, unless they have an objective of their own. A number of pairs to see takes
    the place of the preset's epochs.
    """
    section = recipe.get("pretrain")
    preset = PRESETS.get(_kind_of(section.get("objective"))) if is_dict(section) else None
    if preset is None or not is_dict(section):
        return recipe
    wanted = dict(preset.settings)
    if "samples_seen" in section:
        wanted.pop("epochs", None)
    arms: Any = section.get("arms")
    if arms is None:
        arms = {name: arm.model_dump(mode="json", exclude_unset=True) for name, arm in standard_arms().items()}
    if is_dict(arms):
        arms = {name: _reading(arm, preset.text) for name, arm in arms.items()}
    return {**recipe, "pretrain": {**wanted, **section, "arms": arms}}


def _kind_of(objective: Any) -> str:
    kind = objective.get("kind") if is_dict(objective) else objective
    return kind if isinstance(kind, str) else ""


def _reading(arm: Any, text: Text) -> Any:
    if not is_dict(arm) or arm.get("control") == "random" or arm.get("objective") is not None:
        return arm
    return {"text": text, **arm}


def forget_defaults(recipe: dict[str, Any], profile: Mapping[str, Any], changes: Sequence[Override]) -> None:
    """Take out of a complete recipe what neither its profile nor an override says, where a preset may fill it.

    Overrides apply to the complete recipe, in which every default looks as if it had been asked for. An override of
    ``pretrain.objective`` shall still bring the defaults of that objective.

    Args:
        recipe: with the overrides applied; changed in place.
        profile: what the profile's file says.
        changes: the overrides.
    """
    section, said = recipe.get("pretrain"), profile.get("pretrain")
    if not is_dict(section) or not _touched(("pretrain", "objective"), changes):
        return
    said = said if is_dict(said) else {}
    for name in (*CHANGEABLE, "samples_seen", "arms"):
        if name not in said and not _touched(("pretrain", name), changes):
            section.pop(name, None)
    arms, said_arms = section.get("arms"), said.get("arms")
    for name, arm in arms.items() if is_dict(arms) else ():
        said_arm = said_arms.get(name) if is_dict(said_arms) else None
        named = is_dict(said_arm) and "text" in said_arm
        if is_dict(arm) and not named and not _touched(("pretrain", "arms", name, "text"), changes):
            arm.pop("text", None)


def _touched(path: tuple[str, ...], changes: Sequence[Override]) -> bool:
    """Whether an override changes what is at `path`, all around it or part of it."""
    return any(change.path[: len(path)] == path[: len(change.path)] for change in changes)
