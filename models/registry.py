"""Kinds by name: the implementations that a profile may name, imported only when they are used."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.own_kinds import members, why_not
from models.typed import construct, options_model, quoted, suggest, wrong_options

REPORT_GENERATORS: Mapping[str, str] = {
    "vllm": "models.language.vllm_engine:VllmReportGenerator",
    "openai": "models.language.openai_endpoint:OpenAIReportGenerator",
    "template": "models.phantom.template:TemplateReportGenerator",
}
IMAGE_GENERATORS: Mapping[str, str] = {
    "diffusers": "models.diffusion.pipeline:DiffusersImageGenerator",
    "renderer": "models.phantom.renderer:RendererImageGenerator",
}
REPORT_GATES: Mapping[str, str] = {
    "completeness": "models.gates.text.report:Completeness",
    "no_extra_finding": "models.gates.text.report:NoExtraFinding",
    "impression_consistency": "models.gates.text.report:ImpressionConsistency",
    "prompt_length": "models.gates.text.report:PromptLength",
    "repetition": "models.gates.text.hygiene:Repetition",
    "leakage": "models.gates.text.hygiene:Leakage",
    "lint": "models.gates.text.hygiene:Lint",
    "length": "models.gates.text.hygiene:Length",
    "near_duplicate": "models.gates.text.duplicates:NearDuplicate",
}
"""Gates on the text alone."""
FILM_GATES: Mapping[str, str] = {
    "finite": "models.gates.film.basics:Finite",
    "contrast": "models.gates.film.basics:Contrast",
    "polarity": "models.gates.film.basics:Polarity",
    "two_lungs": "models.gates.film.basics:TwoLungs",
    "sharpness": "models.gates.film.classical:Sharpness",
    "noise": "models.gates.film.classical:Noise",
    "pattern": "models.gates.film.classical:Pattern",
    "upright": "models.gates.film.classical:Upright",
    "border": "models.gates.film.classical:Border",
    "dead_area": "models.gates.film.classical:DeadArea",
    "burned_text": "models.gates.film.classical:BurnedText",
    "film_defects": "models.gates.film.defects:FilmDefects",
    "bad_bank": "models.gates.film.bad_bank:NotInBadBank",
    "film_ensemble": "models.gates.ensemble:Ensemble",
    "vision_judge": "models.gates.film.vision:VisionJudge",
    "agreement": "models.gates.agreement:Agreement",
    "memorisation": "models.gates.memorisation:Memorisation",
}
"""Gates that need the film."""
GATES: Mapping[str, str] = {**REPORT_GATES, **FILM_GATES}
SCORES = (0.0, 1.0)
"""The range of a gate's scores, where its class has no other in `scores`."""
FINDING_GATES = frozenset({"agreement", "no_extra_finding", "impression_consistency"})
"""The gates whose score depends on a vocabulary of findings (protocol `models.contracts.VocabularyGate`)."""
ENCODERS: Mapping[str, str] = {
    "classifier-features": "models.encoders.classifier_features:ClassifierFeatureEncoder",
    "film": "models.encoders.image:FilmEncoder",
    "transformers": "models.encoders.image:TransformersEncoder",
}

TABLES: Mapping[str, Mapping[str, str]] = {
    "report_generators": REPORT_GENERATORS,
    "image_generators": IMAGE_GENERATORS,
    "report_gates": REPORT_GATES,
    "film_gates": FILM_GATES,
    "encoders": ENCODERS,
}
RENAMED: Mapping[str, str] = {"penultimate": "classifier-features"}
"""Kinds by the names that they had before; profiles and stored recipes may still use these."""
RENAMED_OPTIONS: Mapping[str, Mapping[str, str]] = {"memorisation": {"memory": "index"}}
"""Options of a kind by the names that they had before; profiles and stored recipes may still use these. Fingerprints
and frozen weights keep the former names, so that a recipe in either spelling is the same."""


_ROOT = Path(__file__).resolve().parents[1]


class UnknownKind(ValueError):
    """A profile names an implementation that does not exist, or an option or value that it does not take."""


def build(table: Mapping[str, str], kind: str, options: Mapping[str, Any], protocol: type | None = None) -> Any:
    """Make the implementation that `kind` names in `table`, or as ``module:Class`` where a protocol is given.

    Raises:
        UnknownKind: no such kind or option, a value that an option does not take, or one is missing; all are named.
    """
    options = current_options(kind, options)
    wrong = problems(table, kind, options, protocol)
    if wrong:
        raise UnknownKind("; ".join(_line(path, what) for path, what in wrong.items()))
    factory = factory_of(with_own(table, kind) if protocol else table, kind)
    try:
        made = construct(factory, options_model(factory).model_validate(dict(options)))
    except Exception as error:
        if current(kind) in table and not isinstance(error, TypeError | ValueError | RuntimeError):
            raise
        raise UnknownKind(f"kind {kind!r}: {error or type(error).__name__}") from error
    lacking = [name for name in members(protocol) if not hasattr(made, name)] if protocol else []
    if protocol and lacking:
        raise UnknownKind(f"kind {kind!r} is no {protocol.__name__}: it lacks {', '.join(lacking)}")
    return made


def problems(
    table: Mapping[str, str], kind: str, options: Mapping[str, Any], protocol: type | None = None
) -> dict[str, str]:
    """What keeps `build` from making a kind, by dotted path: ``kind``, or ``options.`` and the option's name.

    What is wrong with options that do not go together stands under ``options``. Where `protocol` is given, the kind
    may be ``module:Class``, a class with the members of that protocol.
    """
    kind, options = current(kind), current_options(kind, options)
    if kind not in table:
        own = protocol if ":" in kind else None
        why = why_not(kind, own) if own else None
        if why or not own:
            near, known = suggest(kind, table), ", ".join(sorted(table))
            return {"kind": f"unknown kind {quoted(kind)}{near}; known: {known}{f'; {why}' if why else ''}"}
        table = with_own(table, kind)
    model = options_model(factory_of(table, kind))
    known = list(model.model_fields)
    listed = ", ".join(known) or "none"
    found = {}
    for path, what in wrong_options(model, options):
        if what == "unknown":
            what = f"kind {kind!r} has no option {quoted(path)}{suggest(path, known)}; known: {listed}"
            what = getattr(model, "retired", {}).get(path, what)
        elif what.startswith("missing"):
            what = f"kind {kind!r} needs the option {path!r}; known: {listed}"
        elif not path:
            what = f"kind {kind!r}: {what}"
        found[f"options.{path}" if path else "options"] = what
    return found


def schemas(tables: Mapping[str, Mapping[str, str]] = TABLES) -> dict[str, dict[str, Any]]:
    """The JSON schema of the options of every kind, by table (a key of `tables`) and kind.

    Titles are kinds, descriptions are those of their classes. The default of an option that is one of our own files
    is given relative to the folder of the packages.

    Args:
        tables: the tables of this module; those of other packages (objectives, evaluation tasks) can be given too.
    """
    return {name: {kind: _schema(table, kind) for kind in table} for name, table in tables.items()}


def _schema(table: Mapping[str, str], kind: str) -> dict[str, Any]:
    factory = factory_of(table, kind)
    schema = options_model(factory).model_json_schema()
    for option in schema.get("properties", {}).values():
        default = option.get("default")
        if isinstance(default, str) and Path(default).is_relative_to(_ROOT):
            option["default"] = Path(default).relative_to(_ROOT).as_posix()
    description = (inspect.getdoc(factory) or "").partition("\n\nArgs:")[0]
    return schema | {"title": kind, "description": description}


def _line(path: str, what: str) -> str:
    return what if path == "options" else f"{path.removeprefix('options.')}: {what}"


def current(kind: str) -> str:
    """The name of a kind today."""
    return RENAMED.get(kind, kind)


def current_options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a kind by their names today; one that is given by both names is left as it is."""
    names = RENAMED_OPTIONS.get(current(kind), {})
    return {name if names.get(name) in options else names.get(name, name): value for name, value in options.items()}


def former_option(kind: str, option: str) -> str:
    """The first name that an option of a kind had."""
    names = RENAMED_OPTIONS.get(current(kind), {})
    return next((former for former, name in names.items() if name == option), option)


def score_range(kind: str) -> tuple[float, float]:
    """The lowest and the highest score that the gate `kind` gives."""
    return getattr(factory_of(GATES, kind), "scores", SCORES)


def with_own(table: Mapping[str, str], kind: str) -> Mapping[str, str]:
    """`table` with the kind ``module:Class``, which names an implementation that is in no table.

    The module is imported by this call; one that is not there leaves the kind unknown.
    """
    if kind in table or ":" not in kind:
        return table
    module, _, name = kind.partition(":")
    try:
        found = hasattr(importlib.import_module(module), name)
    except Exception:  # whatever the code of a module does; `models.own_kinds.why_not` tells it
        found = False
    return {**table, kind: kind} if found else table


def factory_of(table: Mapping[str, str], kind: str) -> Any:
    """The class that `kind` names in `table`; imports what it needs, but loads no weights."""
    module, name = table[current(kind)].split(":")
    return getattr(importlib.import_module(module), name)
