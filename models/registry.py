"""Kinds by name: what a profile may ask for, imported only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
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
    "finite": "models.judges.film:Finite",
    "contrast": "models.judges.film:Contrast",
    "polarity": "models.judges.film:Polarity",
    "two_lungs": "models.judges.film:TwoLungs",
    "agreement": "models.judges.agreement:Agreement",
}


def build(table: Mapping[str, str], kind: str, options: Mapping[str, Any]) -> Any:
    """Make the implementation that `kind` names in `table`.

    Raises:
        ValueError: the kind is unknown (the nearest known one is suggested), or an option does not exist.
    """
    if kind not in table:
        near = difflib.get_close_matches(kind, table, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown kind {kind!r}{hint} Known: {', '.join(sorted(table))}")
    module, name = table[kind].split(":")
    factory = getattr(importlib.import_module(module), name)
    try:
        return factory(**options)
    except TypeError as error:
        raise ValueError(f"kind {kind!r} does not take these options: {error}") from error
