"""Weights and other files that the parts of a recipe load: there, whole, and of the right kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models import registry
from models.encoders.image import OURS
from models.gates.ensemble import CALIBRATIONS
from models.nets.shipped import SHIPPED
from models.weight_files import found, read_object
from tasks.check.generators import diffusers_problems, vision_problems, vllm_problems
from tasks.check.part import Part, model_problems, net_problems, part_of
from tasks.check.report import Report
from tasks.recipe.schema import Recipe


def check_files(recipe: Recipe, stages: Sequence[str], report: Report) -> None:
    """The files of the parts that `stages` load; parts whose options are wrong were reported already."""
    parts: list[tuple[str, Mapping[str, str], str, Mapping[str, Any]]] = []
    if "generate" in stages:
        reports, images = recipe.reports.generator, recipe.images.generator
        parts += [
            ("reports.generator", registry.REPORT_GENERATORS, reports.kind, reports.options),
            ("images.generator", registry.IMAGE_GENERATORS, images.kind, images.options),
        ]
        for section, gates in (("report_gates", recipe.report_gates), ("image_gates", recipe.image_gates)):
            parts += [(f"{section}.{n}", registry.GATES, gate.kind, gate.options) for n, gate in enumerate(gates)]
    rules = recipe.curate
    if "curate" in stages and (rules.near_film is not None or (rules.utility and rules.utility.novelty)):
        parts.append(("curate.encoder", registry.ENCODERS, rules.encoder, rules.encoder_options))
    here = recipe.engine == "inline"
    for where, table, kind, options in parts:
        if registry.problems(table, kind, options):
            continue
        try:
            wrong = _wrong(part_of(table, kind, options, report, here))
        except (OSError, RuntimeError, ValueError) as error:  # a name too long, or the home of an unknown user
            wrong = [f"its files cannot be read ({getattr(error, 'strerror', None) or error})"]
        report.problems += [f"{where}: {line}" for line in wrong]


def _wrong(part: Part) -> list[str]:
    look = _LOOKS.get(part.kind)
    return look(part) if look else net_problems(part.kind, part.options)


def _bad_bank(part: Part) -> list[str]:
    wrong, encoder = found([Path(part.options["bank"]).expanduser()]), str(part.options["encoder"])
    return wrong + (net_problems("film", part.options) if encoder == OURS else model_problems(encoder, part.report))


def _ensemble(part: Part) -> list[str]:
    spec = str(part.options["calibration"])
    path = SHIPPED / f"{spec}.json" if spec in CALIBRATIONS else Path(spec).expanduser()
    wrong, scales = found([path]), read_object(path).get("scales")
    if wrong or not isinstance(scales, dict):
        return wrong or [f"{path} is no calibration: make one with `python -m models.gates.ensemble --help`"]
    for member in scales:
        given = (part.options["options"] or {}).get(member)
        problems = registry.problems(registry.FILM_GATES, member, given or {})
        if not problems:
            wrong += _wrong(part.other(registry.FILM_GATES, member, given))
        elif given is None:  # what is given is checked with the options
            wrong += [f"{path}: {line}" for line in problems.values()]
    return wrong


def _memorisation(part: Part) -> list[str]:
    wrong = [
        f"{line}: `synth privacy index` makes one from the generator's training archive"
        for line in found([Path(part.options["index"]).expanduser()])
    ]
    kind, given = str(part.options["encoder"]), part.options["encoder_options"] or {}
    if registry.problems(registry.ENCODERS, kind, given):
        return wrong
    return wrong + _wrong(part.other(registry.ENCODERS, kind, given))


def _classifier_features(part: Part) -> list[str]:
    name, folder = str(part.options["classifier"]), Path(part.options["folder"]).expanduser()
    return found([folder / f"{name}.safetensors", folder / f"{name}.json"])


def _transformers(part: Part) -> list[str]:
    wrong = model_problems(str(part.options["model"]), part.report)
    folder = Path(str(part.options["model"])).expanduser()
    return wrong + (found([folder / "preprocessor_config.json"]) if folder.is_dir() else [])


def _completeness(part: Part) -> list[str]:
    soft = part.options["mode"] == "soft" and part.options["encoder"] != "ngrams"
    return model_problems(str(part.options["encoder"]), part.report) if soft else []


_LOOKS: Mapping[str, Callable[[Part], list[str]]] = {
    "vllm": vllm_problems,
    "diffusers": diffusers_problems,
    "vision_judge": vision_problems,
    "bad_bank": _bad_bank,
    "film_ensemble": _ensemble,
    "memorisation": _memorisation,
    "classifier-features": _classifier_features,
    "transformers": _transformers,
    "completeness": _completeness,
}
