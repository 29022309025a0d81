"""Reports end to end against raw ``LLM.generate``: same engine, prompts and sampling, in alternating order.

    python benchmarks/reports.py [--reports 64] [--rounds 3]

Ours is all that the local profile does for a shard of reports: plan, write, verify with all its gates, decide,
publish into a store on disk. Raw is the engine alone on what ours asked it, one call for the first texts and one
for those that follow from them. What a decoding costs is in `benchmarks.decoding`, what other text factories take
in `peers.py`.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from planned import local_recipe, text_gates
from recorder import Recorder, run_raw, seconds

from models.language.options import VllmOptions
from models.language.vllm_engine import VllmReportGenerator
from storage.layout import DatasetRef
from storage.ledger import publish_reports
from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.generate.reports import ReportBatch, ReportOptions, write_reports
from tasks.plan.plan import make_plan
from tasks.plan.seeds import seed_for
from tasks.plan.spec import SampleSpec
from tasks.recipe.schema import GateSpec, Recipe

FINGERPRINT = "benchmark"


def plan(reports: int) -> list[SampleSpec]:
    """The first samples of the default plan."""
    gates = (GateSpec(kind="completeness", threshold=1.0),)
    recipe = Recipe(pairs=reports, shard_size=reports, report_gates=gates, image_gates=())
    return make_plan(recipe, FINGERPRINT).samples(0, reports)


def run_ours(reports: int, generator: VllmReportGenerator, store: ObjectStore) -> ReportBatch:
    """Plan, write, verify and publish; one attempt, for a retry would have no counterpart on the raw side."""
    batch = write_reports(
        plan(reports),
        generator,
        text_gates(),
        ReportOptions(attempts=1, seed_of=lambda s, a: seed_for(FINGERPRINT, s, "reports", a)),
    )
    ref = DatasetRef("benchmark", f"v-{uuid4().hex[:10]}")
    publish_reports(store, ref, 0, batch.rows, batch.rejects)
    return batch


def main() -> None:
    """Run both sides in a folder that goes afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reports", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        compare(arguments.reports, arguments.rounds, LocalStore(Path(folder)))


def compare(reports: int, rounds: int, store: ObjectStore) -> None:
    """Run both sides in turn and print one line per round and one for the median."""
    generator = Recorder(VllmOptions(**local_recipe().reports.generator.options))
    start, _ = seconds(lambda: generator.llm)
    cold, _ = seconds(lambda: run_ours(reports, generator, store))
    texts = [list(asks) for asks in generator.rounds]  # later runs add to them
    run_raw(generator, texts)
    print(f"reports={reports} engine_start={start:.1f}s first_round={cold:.1f}s", flush=True)
    sides = {"ours": lambda: run_ours(reports, generator, store), "raw": lambda: run_raw(generator, texts)}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=number % 2 == 0):
            generator.llm.reset_prefix_cache()
            taken[name].append(seconds(sides[name]))
        ours, raw = taken["ours"][-1], taken["raw"][-1]
        print(
            f"round {number + 1}: ours={ours[0]:.2f}s raw={raw[0]:.2f}s ratio={raw[0] / ours[0]:.3f} "
            f"cpu ours={ours[1]:.2f}s raw={raw[1]:.2f}s ratio={raw[1] / ours[1]:.3f}",
            flush=True,
        )
    wall, cpu = (
        statistics.median(raw[kind] / ours[kind] for ours, raw in zip(taken["ours"], taken["raw"], strict=True))
        for kind in (0, 1)
    )
    rate = reports / statistics.median(ours for ours, _ in taken["ours"])
    print(f"reports end to end against raw LLM.generate, wall time: {rate:.2f} reports/s ratio={wall:.3f}")
    print(f"reports end to end against raw LLM.generate, CPU time (steadier on a busy machine): ratio={cpu:.3f}")


if __name__ == "__main__":
    main()
