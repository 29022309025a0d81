"""Options that the report generators and the vision judge share, as `models.registry` checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from models.typed import not_among, one_of

Dtype = Annotated[str | None, one_of("auto", "half", "float16", "bfloat16", "float", "float32")]
EngineOptions = Annotated[Mapping[str, Any] | None, not_among("model", "trust_remote_code", "hf_token")]
"""Further arguments of ``vllm.LLM``: no code and no credentials come in by them."""


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):  # not quoted: it may be the key itself
        raise ValueError("is no name of an environment variable, such as OPENAI_API_KEY; the key itself stays there")
    return value


VariableName = Annotated[str, AfterValidator(_variable)]
