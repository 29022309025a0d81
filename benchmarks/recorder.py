"""The report generator of the benchmarks, which remembers what it asked the engine, and the engine alone on that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from models.language.options import VllmOptions
from models.language.script import Completion, CompletionRequest, OnCompletion
from models.language.vllm_engine import VllmReportGenerator


class Recorder(VllmReportGenerator):
    """The generator, with its texts in `rounds` (by how many had to come before) and the engine's `busy` seconds.

    Args:
        options: of the generator.
        engine: a generator whose engine runs already, to write with that; None starts one.
    """

    def __init__(self, options: VllmOptions, engine: VllmReportGenerator | None = None) -> None:
        super().__init__(options)
        if engine is not None:
            self.weights, self.llm, self._threads = engine.weights, engine.llm, engine._threads
        self.rounds: list[list[CompletionRequest]] = []
        self.busy = 0.0

    def run(self, requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        """Write and remember; what `on_completion` does is not the engine's work."""
        depths = [0] * len(requests)
        self._keep(requests, 0)

        def heard(number: int, completion: Completion) -> Sequence[CompletionRequest]:
            started = time.perf_counter()
            more = on_completion(number, completion)
            self.busy -= time.perf_counter() - started
            depths.extend([depths[number] + 1] * len(more))
            self._keep(more, depths[number] + 1)
            return more

        started = time.perf_counter()
        super().run(requests, heard)
        self.busy += time.perf_counter() - started

    def _keep(self, requests: Sequence[CompletionRequest], depth: int) -> None:
        if depth == len(self.rounds):
            self.rounds.append([])
        self.rounds[depth].extend(requests)


def run_raw(generator: VllmReportGenerator, rounds: Sequence[Sequence[CompletionRequest]]) -> int:
    """``LLM.generate`` alone on the same texts, one call for each round; returns the tokens it generated."""
    tokens = 0
    for requests in rounds:
        prompts = [{"prompt_token_ids": ids} for ids in generator.prompts(requests)]
        params = [generator.sampling_params(request) for request in requests]
        with generator.threads():  # both sides get the threads that are good right now
            outputs = generator.llm.generate(prompts, params, use_tqdm=False)
        tokens += sum(len(output.outputs[0].token_ids) for output in outputs)
    return tokens


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and process-CPU seconds that `work` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
