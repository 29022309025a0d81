"""Former keys of a recipe: a profile that uses one is refused with the new spelling, a stored recipe is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.plain import is_dict, is_list
from tasks.recipe.training import standard_arms

ARCHIVES: Mapping[str, tuple[str, str]] = {"archive_a": ("real", "phantom:a"), "archive_b": ("test", "phantom:b")}
"""Key of a phantom archive, with the name and the source it has under ``sources`` now."""
ARMS, CONTROLS = "pretrain.arms", "pretrain.controls"
RESOURCES: Mapping[str, str] = {f"{stage}.resources": f"workers.{stage}" for stage in ("reports", "images")}
"""Former place of a stage's workers, with the place of today."""
_WORKER = {"gpus": "gpus", "cpus": "cpus", "memory_gib": "memory", "node": "node"}
REASON = "an archive is a dataset of its own, with its own seed"


def remedy(path: str) -> str | None:
    """What to write in place of the key at `path`; None where it never was one."""
    if path == CONTROLS:
        return "is gone: a control is an arm with control: shuffled or random, and pretrain.only names the arms to run"
    if (section := ".".join(path.split(".")[:2])) in RESOURCES:
        now = RESOURCES[section]
        return (
            f"is {now} now: {now}: {{gpus: …, cpus: …, memory: …, least: …, most: …, node: …, runtime_env: "
            "{py_executable: …}}, where memory_gib is memory, workers is least and most, and python is py_executable"
        )
    key, _, field = path.partition(".")
    if key not in ARCHIVES:
        return None
    name, source = ARCHIVES[key]
    if field:
        return f"is sources.{name}.{field} now"
    return f'is sources.{name} now: write sources: {{{name}: {{source: "{source}", films: …, size: …, seed: …}}}}'


def reshaped(path: str, value: Any) -> str | None:
    """What to write in place of a `value` that the key at `path` took once; None where it never did."""
    if path == ARMS and is_list(value):
        names = ", ".join(map(str, value))
        return (
            "is a mapping of names to mixes, such as {real: {mix: [{source: real}]}}; to run some of the arms, set "
            f"pretrain.only: [{names}]"
        )
    return None


def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A stored recipe in the spelling of today; what is new already stays."""
    kept = {key: value for key, value in data.items() if key not in ARCHIVES}
    old = {
        name: {"source": source, **data[key]}
        for key, (name, source) in ARCHIVES.items()
        if isinstance(data.get(key), Mapping)
    }
    if is_dict(pretrain := data.get("pretrain")):
        kept["pretrain"] = _upgraded_arms(pretrain, data.get("seed", 0))
    kept = _upgraded_workers(kept)
    return {**kept, "sources": {**old, **kept.get("sources", {})}} if old else kept


def _upgraded_workers(recipe: dict[str, Any]) -> dict[str, Any]:
    """The resources of each stage become its workers."""
    workers: dict[str, Any] = {}
    for stage in ("reports", "images"):
        section = recipe.get(stage)
        if not is_dict(section) or not is_dict(old := section.get("resources")):
            continue
        recipe = {**recipe, stage: {key: value for key, value in section.items() if key != "resources"}}
        workers[stage] = {now: old[key] for key, now in _WORKER.items() if old.get(key) is not None}
        if old.get("workers") is not None:
            workers[stage] |= {"least": old["workers"], "most": old["workers"]}
        if old.get("python") is not None:
            workers[stage]["runtime_env"] = {"py_executable": old["python"]}
    return {**recipe, "workers": {**workers, **recipe.get("workers", {})}} if workers else recipe


def _upgraded_arms(pretrain: Mapping[str, Any], seed: Any) -> dict[str, Any]:
    """Arms and controls by name become the standard arms of these names, trained with the dataset's seed."""
    arms, controls = pretrain.get("arms"), pretrain.get("controls", [])
    if not is_list(arms) or not is_list(controls):
        return dict(pretrain)
    standard = standard_arms()
    named = {name: standard[name].model_dump(mode="json") for name in (*arms, *controls) if name in standard}
    rest = {key: value for key, value in pretrain.items() if key != "controls"}
    return {**rest, "arms": named, "seeds": [seed]}
