"""The decodings side by side: one engine, the same requests and seeds, in one run.

    python -m benchmarks.decoding [--reports 64] [--attempts 3]

`raw` is ``LLM.generate`` on the prompts and sampling of `free`, section by section, with no line of ours around it.
Every side starts with an empty prefix cache, and every request has a grammar of its own that was never compiled
before, as in a run.
`accepted` is by the local profile's text gates, at the first attempt and within all attempts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.planned import local_recipe, text_gates
from benchmarks.recorder import Recorder, run_raw, seconds
from models.contracts import ReportDraft, ReportRequest
from models.language.decodings import Decoding
from models.language.options import VllmOptions
from models.language.script import CompletionRequest
from models.language.vllm_engine import VllmReportGenerator
from tasks.generate.reports import ReportBatch, ReportOptions, write_reports
from tasks.plan.plan import make_plan
from tasks.plan.seeds import seed_for
from tasks.plan.spec import SampleSpec

MODES: tuple[Decoding, ...] = ("free", "entity_grammar", "segments")


class Watched(Recorder):
    """The recorder, with its first drafts."""

    drafts: Sequence[ReportDraft] = ()

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        """Write, and keep the drafts of the first attempt."""
        drafts = super().generate(requests)
        self.drafts = self.drafts or drafts
        return drafts


@dataclass(slots=True)
class Side:
    """What one decoding cost and gave."""

    name: str
    wall: float
    cpu: float
    tokens: int
    accepted: int = 0
    busy: float = 0.0
    rounds: list[list[CompletionRequest]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def distinct_2(texts: Sequence[str]) -> float:
    """Different word pairs over all word pairs (Li et al. 2016, arXiv 1510.03055)."""
    pairs = [pair for text in texts for pair in pairwise(text.lower().split())]
    return len(set(pairs)) / max(len(pairs), 1)


def stage(specs: list[SampleSpec], engine: VllmReportGenerator, mode: Decoding, attempts: int, salt: str) -> Side:
    """The whole stage with `mode`, on the engine that runs already."""
    generator = Watched(VllmOptions(decoding=mode), engine)
    generator.llm.reset_prefix_cache()
    batches: list[ReportBatch] = []
    wall, cpu = seconds(
        lambda: batches.append(
            write_reports(
                specs,
                generator,
                text_gates(),
                ReportOptions(attempts=attempts, seed_of=lambda s, a: seed_for(salt, s, "reports", a)),
            )
        )
    )
    (batch,) = batches
    return Side(
        mode, wall, cpu, int(batch.stats["tokens"]), len(batch.rows), generator.busy, generator.rounds,
        [f"{draft.findings} {draft.impression}" for draft in generator.drafts],
    )  # fmt: skip


def raw(engine: VllmReportGenerator, rounds: list[list[CompletionRequest]]) -> Side:
    """The engine alone on what `free` asked."""
    engine.llm.reset_prefix_cache()
    tokens: list[int] = []
    wall, cpu = seconds(lambda: tokens.append(run_raw(engine, rounds)))
    return Side("raw", wall, cpu, tokens[0])


def show(side: Side, base: Side, count: int) -> None:
    """One line: cost per report and per accepted report, over that of `base`."""
    ratio = f"cpu {side.cpu / base.cpu:.2f} wall {side.wall / base.wall:.2f}"
    each = f"{side.cpu / count:.3f} CPU-s/report {side.tokens / count:.0f} tokens/report"
    line = f"{side.name:15} {each}, per report {ratio}"
    if side.texts:
        scale = base.accepted / max(side.accepted, 1)
        line += (
            f"; accepted {side.accepted}/{count}, per accepted report cpu {side.cpu / base.cpu * scale:.2f} "
            f"wall {side.wall / base.wall * scale:.2f}; distinct-2 {distinct_2(side.texts):.3f}; "
            f"engine idle {1 - side.busy / side.wall:.1%} of wall"
        )
    print(line, flush=True)


def main() -> None:
    """Run every side once without retries, then with them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=64)
    parser.add_argument("--attempts", type=int, default=3)
    parser.add_argument("--modes", nargs="+", default=list(MODES))
    arguments = parser.parse_args()
    count = arguments.reports
    recipe = local_recipe().model_copy(update={"pairs": max(count, 512)})
    specs = make_plan(recipe, "benchmark").samples(0, count)
    engine = VllmReportGenerator(VllmOptions(decoding="free"))
    stage(specs[:8], engine, "free", 1, "warm-up")
    stage(specs[-8:], engine, "entity_grammar", 1, "warm-up")  # the grammar compiler's own start
    for attempts in sorted({1, arguments.attempts}):
        print(f"{count} reports, at most {attempts} attempts; ratios over free", flush=True)
        sides = [stage(specs, engine, mode, attempts, f"salt {attempts}") for mode in arguments.modes]
        if attempts == 1:
            show(raw(engine, sides[0].rounds), sides[0], count)
        for side in sides:
            show(side, sides[0], count)


if __name__ == "__main__":
    main()
