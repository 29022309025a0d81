"""The report generator of the benchmarks, which remembers what it asked the engine, and the engine alone on that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from models.language.vllm_engine import VllmReportGenerator
from models.language.writing import Answer, Ask, Then


class Recorder(VllmReportGenerator):
    """The generator, with its texts in `rounds` (by how many had to come before) and the engine's `busy` seconds.

    Args:
        engine: a generator whose engine runs already, to write with that; None starts one.
        options: of the generator.
    """

    def __init__(self, engine: VllmReportGenerator | None = None, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        if engine is not None:
            self.weights, self.llm, self._threads = engine.weights, engine.llm, engine._threads
        self.rounds: list[list[Ask]] = []
        self.busy = 0.0

    def run(self, asks: Sequence[Ask], then: Then) -> None:
        """Write and remember; what `then` does is not the engine's work."""
        depths = [0] * len(asks)
        self._keep(asks, 0)

        def heard(number: int, answer: Answer) -> Sequence[Ask]:
            started = time.perf_counter()
            more = then(number, answer)
            self.busy -= time.perf_counter() - started
            depths.extend([depths[number] + 1] * len(more))
            self._keep(more, depths[number] + 1)
            return more

        started = time.perf_counter()
        super().run(asks, heard)
        self.busy += time.perf_counter() - started

    def _keep(self, asks: Sequence[Ask], depth: int) -> None:
        if depth == len(self.rounds):
            self.rounds.append([])
        self.rounds[depth].extend(asks)


def run_raw(generator: VllmReportGenerator, rounds: Sequence[Sequence[Ask]]) -> int:
    """``LLM.generate`` alone on the same texts, one call for each round; returns the tokens it generated."""
    tokens = 0
    for asks in rounds:
        prompts = [{"prompt_token_ids": ids} for ids in generator.prompts(asks)]
        params = [generator.sampling_params(ask) for ask in asks]
        with generator.threads():  # both sides get the threads that are good right now
            outputs = generator.llm.generate(prompts, params, use_tqdm=False)
        tokens += sum(len(output.outputs[0].token_ids) for output in outputs)
    return tokens


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and process-CPU seconds that `work` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
