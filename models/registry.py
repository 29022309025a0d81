"""Kinds by name: what a profile may ask for, imported only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

REPORT_GENERATORS: Mapping[str, str] = {
    "vllm": "models.language.vllm_engine:VllmReportGenerator",
    "openai": "models.language.openai_endpoint:OpenAIReportGenerator",
    "template": "models.language.template:TemplateReportGenerator",
}
IMAGE_GENERATORS: Mapping[str, str] = {
    "diffusers": "models.diffusion.pipeline:DiffusersImageGenerator",
    "renderer": "models.diffusion.renderer:RendererImageGenerator",
}
GATES: Mapping[str, str] = {
    "completeness": "models.judges.report:Completeness",
    "no_extra_finding": "models.judges.report:NoExtraFinding",
    "impression_consistency": "models.judges.report:ImpressionConsistency",
    "prompt_length": "models.judges.report:PromptLength",
    "repetition": "models.judges.text:Repetition",
    "leakage": "models.judges.text:Leakage",
    "lint": "models.judges.text:Lint",
    "length": "models.judges.text:Length",
    "near_duplicate": "models.judges.duplicates:NearDuplicate",
    "finite": "models.judges.film:Finite",
    "contrast": "models.judges.film:Contrast",
    "polarity": "models.judges.film:Polarity",
    "two_lungs": "models.judges.film:TwoLungs",
    "sharpness": "models.judges.checks:Sharpness",
    "noise": "models.judges.checks:Noise",
    "pattern": "models.judges.checks:Pattern",
    "upright": "models.judges.checks:Upright",
    "border": "models.judges.checks:Border",
    "dead_area": "models.judges.checks:DeadArea",
    "burned_text": "models.judges.checks:BurnedText",
    "film_defects": "models.judges.defect_net:FilmDefects",
    "bad_bank": "models.judges.bank:NotInBadBank",
    "film_ensemble": "models.judges.ensemble:Ensemble",
    "vision_judge": "models.judges.vision:VisionJudge",
    "agreement": "models.judges.agreement:Agreement",
    "memorisation": "models.judges.memorisation:Memorisation",
}
KNOW_FINDINGS = frozenset({"agreement", "no_extra_finding", "impression_consistency"})
"""The gates that judge findings of a vocabulary (protocol `models.contracts.KnowsFindings`)."""
ENCODERS: Mapping[str, str] = {
    "penultimate": "models.judges.penultimate:PenultimateEncoder",
    "film": "models.encoders.image:FilmEncoder",
    "transformers": "models.encoders.image:TransformersEncoder",
}


class UnknownKind(ValueError):
    """A profile asks for an implementation or an option of it that does not exist; the nearest is suggested."""


def build(table: Mapping[str, str], kind: str, options: Mapping[str, Any]) -> Any:
    """Make the implementation that `kind` names in `table`.

    Raises:
        UnknownKind: no such kind, no such option, or one that it cannot do without is missing.
    """
    if kind not in table:
        raise UnknownKind(f"unknown kind {kind!r}{_nearest(kind, table)}; known: {', '.join(sorted(table))}")
    module, name = table[kind].split(":")
    factory = getattr(importlib.import_module(module), name)
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise UnknownKind(
                f"kind {kind!r} has no option {option!r}{_nearest(option, known)}; known: {', '.join(known)}"
            )
    plain = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, option in known.items():
        if option.default is option.empty and option.kind not in plain and name not in options:
            raise UnknownKind(f"kind {kind!r} needs the option {name!r}; known: {', '.join(known)}")
    return factory(**options)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""
