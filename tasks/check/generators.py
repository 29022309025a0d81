"""The weights of report and image generators."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from models.contracts import ModelNotFound
from models.diffusion.families import FAMILIES
from models.diffusion.weights import BUILTIN, REMEDIES, sides_of, wrong_pipeline
from models.hub import names_hub
from models.language.adapter import BUILTIN as SHIPPED_ADAPTER
from models.language.adapter import find_adapter
from models.language.files import PACKAGE_PREFIX
from models.language.folder import wrong_package
from models.weight_files import read_object, wrong_file
from tasks.check.part import Part, in_cache, model_problems


def vllm_problems(part: Part) -> list[str]:
    wrong = _engine(part.here)
    model, longest = str(part.options["model"]), part.options["max_model_len"]
    if model.startswith(PACKAGE_PREFIX):
        wrong += _problems_of(lambda: wrong_package(model))
    else:
        wrong += model_problems(model, part.report, chats=True, max_model_len=longest)
    return wrong + _adapter(part.options["adapter"], model)


def vision_problems(part: Part) -> list[str]:
    longest = part.options["max_model_len"]
    return _engine(part.here) + model_problems(
        str(part.options["model"]), part.report, chats=True, max_model_len=longest
    )


def diffusers_problems(part: Part) -> list[str]:
    model, wrong = str(part.options["model"]), list[str]()
    if part.here and part.options["attention"] == "xformers":
        wrong += _xformers()
    if model.startswith("builtin:"):
        if model not in BUILTIN:
            return [*wrong, f"there is no {model!r}; known: {', '.join(BUILTIN)}"]
        folder, remedy = BUILTIN[model], REMEDIES["builtin"]
    elif names_hub(model):
        folder, remedy = in_cache(model, part.report, part.options["revision"], wrong), ""
    else:
        folder, remedy = Path(model).expanduser(), REMEDIES["folder"]
        if not folder.is_dir():
            return [*wrong, f"the folder {model} is missing: {remedy}"]
    if folder is None:
        return wrong
    broken = wrong_pipeline(folder)
    if broken:
        return [*wrong, *(f"{line}{': ' if remedy else ''}{remedy}" for line in broken)]
    return wrong + _suits(folder, part.options)


def _suits(folder: Path, options: Mapping[str, Any]) -> list[str]:
    """Options that this pipeline's class does not take."""
    wrong, name = [], str(read_object(folder / "model_index.json")["_class_name"])
    family, sides = FAMILIES[name], sides_of(folder)
    side, scheduler = options["resolution"], options["scheduler"]
    if side is not None and side % sides:
        wrong.append(f"options.resolution is {side}: a {name} draws multiples of {sides} pixels")
    if scheduler is not None and scheduler not in family.schedulers:
        wrong.append(f"options.scheduler {scheduler!r} cannot sample a {name}: take {' or '.join(family.schedulers)}")
    if options["attention"] == "xformers" and not family.xformers:
        wrong.append(f"options.attention: xformers has no kernel for a {name}: take sdpa")
    if "attention" in options["slicing"] and family.denoiser != "unet":
        wrong.append(f"options.slicing: the attention of a {name} cannot be sliced: leave attention out")
    return wrong


def _xformers() -> list[str]:
    if importlib.util.find_spec("xformers") is None:
        return ["options.attention: xformers is not installed: `pip install 'synthcxr[xformers]'`, or take sdpa"]
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return ["options.attention: xformers needs a CUDA GPU, and there is none here: take sdpa"]
    return []


def _adapter(spec: Any, model: str) -> list[str]:
    packaged = model.startswith(PACKAGE_PREFIX)
    if spec is None or (spec == "auto" and not packaged):
        return []
    if spec == SHIPPED_ADAPTER and not packaged:
        return [f"options.adapter: builtin was made for the packaged model, not for {model!r}: give a folder or null"]
    return _problems_of(lambda: _sound_adapter(SHIPPED_ADAPTER if spec == "auto" else str(spec)))


def _sound_adapter(spec: str) -> list[str]:
    wrong = wrong_file(find_adapter(spec).weights)
    return [wrong] if wrong else []


def _engine(here: bool) -> list[str]:
    if not here or importlib.util.find_spec("vllm") is not None:
        return []
    return ["vllm is not installed: `pip install 'synthcxr[cpu]'` (or [gpu]), or take another kind"]


def _problems_of(call: Callable[[], list[str]]) -> list[str]:
    try:
        return call()
    except ModelNotFound as error:
        return [str(error)]
