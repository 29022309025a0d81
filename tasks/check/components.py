"""Generators, gates and encoders: do the kinds exist, do they take the options, can a score reach its threshold?"""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models import registry
from tasks.check.report import Report
from tasks.recipe.fingerprint import leaves
from tasks.recipe.paths import unexpanded
from tasks.recipe.schema import GateSpec, Recipe

_PROSE = re.compile(r"(negative_prompt|questions(\.\d+)?)$")


def check_components(recipe: Recipe, report: Report) -> None:
    """Every part that a registry makes."""
    reports, images = recipe.reports.generator, recipe.images.generator
    _built("reports.generator", registry.REPORT_GENERATORS, reports.kind, reports.options, report)
    _built("images.generator", registry.IMAGE_GENERATORS, images.kind, images.options, report)
    _gates("report_gates", recipe.report_gates, report)
    _gates("image_gates", recipe.image_gates, report)
    for number, spec in enumerate(recipe.report_gates):
        if spec.kind in registry.FILM_GATES:
            report.problems.append(
                f"report_gates.{number}.kind: {spec.kind!r} looks at a film, and a report has none yet: move it to "
                "image_gates"
            )
    rules = recipe.curate
    wrong = registry.problems(registry.ENCODERS, rules.encoder, rules.encoder_options)
    for path, what in wrong.items():
        where = "curate.encoder" if path == "kind" else f"curate.encoder_{path}"
        report.problems.append(f"{where}: {what}")
    for path, value in leaves(recipe.model_dump(mode="json")).items():
        if ".options." in path and isinstance(value, str) and not _PROSE.search(path) and (why := unexpanded(value)):
            report.problems.append(f"{path}: {why}")
    if recipe.engine == "ray":
        report.problems += _ray(recipe)


def _ray(recipe: Recipe) -> Iterator[str]:
    if importlib.util.find_spec("ray") is None:
        yield "engine: ray is not installed: `pip install ray`, or take engine: inline"
    if recipe.ray.address is not None and recipe.storage.root == "managed":
        yield (
            "storage.root: the managed store is on this machine, and workers may be on others: take an s3:// address, "
            "or a folder that all of them have"
        )


def threshold_problem(kind: str, threshold: float) -> str | None:
    """Why a gate's score never meets `threshold`, or cannot lie below it."""
    if kind not in registry.GATES:
        return None
    low, high = registry.score_range(kind)
    if low <= threshold <= high:
        return None
    return f"{threshold:g} is outside the scores of gate {kind!r}, which are {low:g} to {high:g}"


def _gates(section: str, specs: Sequence[GateSpec], report: Report) -> None:
    for number, spec in enumerate(specs):
        where = f"{section}.{number}"
        _built(where, registry.GATES, spec.kind, spec.options, report)
        if spec.kind in registry.GATES and (why := threshold_problem(spec.kind, spec.threshold)):
            report.problems.append(f"{where}.threshold: {why}")
    for kind, times in Counter(spec.kind for spec in specs).items():
        if times > 1:
            report.problems.append(f"{section}: gate {kind!r} stands there {times} times: keep one")


def _built(where: str, table: Mapping[str, str], kind: str, options: Mapping[str, Any], report: Report) -> None:
    wrong = registry.problems(table, kind, options)
    report.problems += [f"{where}.{path}: {what}" for path, what in wrong.items()]
    if not wrong:
        try:
            registry.build(table, kind, options)  # loads nothing, but checks which options go together
        except registry.UnknownKind as error:
            report.problems.append(f"{where}.options: {error}")
        else:
            _nested(where, kind, options, report)


def _nested(where: str, kind: str, options: Mapping[str, Any], report: Report) -> None:
    """Options that are the options of another part."""
    if kind == "memorisation":
        encoder = options.get("encoder", "classifier-features"), options.get("encoder_options") or {}
        for path, what in registry.problems(registry.ENCODERS, *encoder).items():
            report.problems.append(f"{where}.options.{'encoder' if path == 'kind' else f'encoder_{path}'}: {what}")
    if kind == "film_ensemble":
        for member, given in (options.get("options") or {}).items():
            for path, what in registry.problems(registry.FILM_GATES, member, given).items():
                report.problems.append(f"{where}.options.options.{member}.{path}: {what}")
