"""Report writing end to end, ours against other text factories on one engine, model, machine and set of prompts.

    python benchmarks/peers.py [--reports 96] [--rounds 2] [--python PEERS/bin/python] [--only ours raw distilabel]

Every side gets the same chats (FINDINGS and IMPRESSION of the local profile's plan, as our stage asked them), the same
weights, dtype, batch of 64 and sampling, decodes freely and writes a file. Ours also plans, verifies every report with
the profile's gates and publishes the shard; raw is ``vllm.LLM.generate`` alone. The peers take the second section's
prompts ready-made, which spares them a dependency.

A side runs in a process of its own, once with few chats and once with all; the difference is what the further chats
cost, so that start and end of engines, servers and clusters count for nobody. Peers that are not installed in the
interpreter that ``--python`` names are left out, and the output says so. Measured with distilabel 1.5.3, datatrove
0.10.1 and ray 2.60.0.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

FEW, MOST_TOKENS, BATCH, CONTEXT = 16, 96, 64, 1024
SAMPLING: dict[str, Any] = {"temperature": 0.7, "top_p": 1.0}
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_DEDUP_LOGS": "1",
}
Asks = list[dict[str, Any]]


def engine_options() -> dict[str, Any]:
    """What every side gives the engine; those of our generator on a CPU."""
    return {
        "dtype": "bfloat16",
        "max_model_len": CONTEXT,
        "max_num_seqs": BATCH,
        "max_num_batched_tokens": 4096,
        "enforce_eager": True,
        "enable_chunked_prefill": False,
        "block_size": 32,
    }


# Sides: each writes sections for `asks` into `out` and returns them.


def run_ours(asks: Asks, out: Path, _model: str) -> list[str]:
    """The stage as a run has it: plan, write, verify, publish."""
    from planned import text_gates
    from reports import FINGERPRINT, plan  # a benchmark beside this one

    from models.language.options import VllmOptions
    from models.language.vllm_engine import VllmReportGenerator
    from storage.layout import DatasetRef
    from storage.ledger import load_reports, publish_reports
    from storage.local import LocalStore
    from tasks.generate.reports import ReportOptions, write_reports
    from tasks.plan.seeds import seed_for

    options = VllmOptions(
        decoding="free", max_tokens=MOST_TOKENS, max_model_len=CONTEXT, max_num_seqs=BATCH, temperature=0.7
    )
    generator = VllmReportGenerator(options)
    store, ref = LocalStore(out), DatasetRef("peers", "v1")
    batch = write_reports(
        plan(len(asks) // 2),
        generator,
        text_gates(),
        ReportOptions(attempts=1, seed_of=lambda sample, attempt: seed_for(FINGERPRINT, sample, "reports", attempt)),
    )
    publish_reports(store, ref, 0, batch.rows, batch.rejects)
    stored = load_reports(store, ref, 0)
    assert stored is not None
    return [text for part in stored for row in part for text in (row.findings, row.impression)]


def run_raw(asks: Asks, out: Path, _model: str) -> list[str]:
    """The engine alone."""
    from models.language.options import VllmOptions
    from models.language.vllm_engine import VllmReportGenerator

    generator = VllmReportGenerator(VllmOptions(max_model_len=CONTEXT, max_num_seqs=BATCH))
    llm = generator.llm
    from vllm import SamplingParams

    half = len(asks) // 2
    texts = []
    for part in (asks[:half], asks[half:]):
        params = [SamplingParams(**SAMPLING, max_tokens=MOST_TOKENS, seed=n) for n in range(len(part))]
        chats = [request["messages"] for request in part]
        with generator.threads():  # as ours: the threads that are good on this machine right now
            texts += [output.outputs[0].text for output in llm.chat(chats, params, use_tqdm=False)]
    out.mkdir(parents=True)
    (out / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    return texts


def run_distilabel(asks: Asks, out: Path, model: str) -> list[str]:
    """A pipeline of one text generation step; its own vLLM class asks vLLM for arguments that are gone, so the
    engine is vLLM's server, as its documentation has it for served models."""
    from distilabel.models import OpenAILLM  # type: ignore[import-not-found]
    from distilabel.pipeline import Pipeline  # type: ignore[import-not-found]
    from distilabel.steps import LoadDataFromDicts  # type: ignore[import-not-found]
    from distilabel.steps.tasks import ChatGeneration  # type: ignore[import-not-found]

    with server(model) as address, Pipeline("peer", cache_dir=out / "cache") as pipeline:
        load = LoadDataFromDicts(data=[{"messages": request["messages"]} for request in asks], batch_size=BATCH)
        write = ChatGeneration(
            llm=OpenAILLM(
                model="m", base_url=address, api_key="none",
                generation_kwargs={**SAMPLING, "max_new_tokens": MOST_TOKENS},
            ),
            input_batch_size=BATCH,
        )  # fmt: skip
        load >> write  # pyright: ignore[reportUnusedExpression]
        made = pipeline.run(use_cache=False)
        made.save_to_disk(str(out / "texts"))
        return [row["generation"] for row in made["default"]["train"]]


def run_ray(asks: Asks, out: Path, model: str) -> list[str]:
    """Ray Data's vLLM processor with one engine."""
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    config = vLLMEngineProcessorConfig(
        model_source=model,
        engine_kwargs=engine_options(),
        batch_size=BATCH,
        concurrency=1,
        placement_group_config={"bundles": [{"CPU": 1}]},
        log_engine_metrics=False,
    )
    sampling = {**SAMPLING, "max_tokens": MOST_TOKENS}
    processor = build_processor(
        config,
        preprocess=lambda row: {"messages": row["messages"], "sampling_params": sampling},
        postprocess=lambda row: {"text": row["generated_text"]},
    )
    made = processor(ray.data.from_items([{"messages": request["messages"]} for request in asks]))
    made.write_parquet(str(out))
    texts = [row["text"] for row in ray.data.read_parquet(str(out)).take_all()]
    ray.shutdown()
    return texts


def run_datatrove(asks: Asks, out: Path, model: str) -> list[str]:
    """Its inference runner, which starts vLLM's server itself."""
    from datatrove.data import Document  # type: ignore[import-not-found]
    from datatrove.executor.local import LocalPipelineExecutor  # type: ignore[import-not-found]
    from datatrove.pipeline.inference.run_inference import (  # type: ignore[import-not-found]
        InferenceConfig,
        InferenceRunner,
    )
    from datatrove.pipeline.writers import JsonlWriter  # type: ignore[import-not-found]

    async def rollout(document: Any, generate: Callable[[dict[str, Any]], Any]) -> Any:
        return await generate({"messages": document.metadata["messages"], **SAMPLING, "max_tokens": MOST_TOKENS})

    options = {key.replace("_", "-"): value for key, value in engine_options().items() if key != "max_model_len"}
    config = InferenceConfig(
        server_type="vllm", model_name_or_path=model, model_max_context=CONTEXT, model_kwargs=options,
        max_concurrent_generations=BATCH, server_ready_delay_sec=0.5, server_ready_max_attempts=1200,
        server_start_timeout_sec=300,
    )  # fmt: skip
    documents = [
        Document(text=f"chat {n}", id=str(n), metadata={"messages": request["messages"]})
        for n, request in enumerate(asks)
    ]
    runner = InferenceRunner(rollout_fn=rollout, config=config, output_writer=JsonlWriter(str(out), compression=None))
    LocalPipelineExecutor(pipeline=[documents, runner], tasks=1, logging_dir=str(out / "logs")).run()
    rows = [json.loads(line) for path in out.glob("*.jsonl") for line in path.read_text().splitlines()]
    return [result["text"] for row in rows for result in row["metadata"]["rollout_results"]]


SIDES: dict[str, Callable[[Asks, Path, str], list[str]]] = {
    "ours": run_ours, "raw": run_raw, "distilabel": run_distilabel, "ray": run_ray, "datatrove": run_datatrove,
}  # fmt: skip
MODULES = {"distilabel": "distilabel", "ray": "ray.data.llm", "datatrove": "datatrove"}


@contextmanager
def server(model: str) -> Iterator[str]:
    """vLLM's own server on `model`, up before the block begins; its address."""
    import httpx

    port = str(20_000 + os.getpid() % 20_000)
    flags = [flag for key, value in engine_options().items() for flag in _flag(key.replace("_", "-"), value)]
    command = ["vllm", "serve", model, "--served-model-name", "m", "--host", "127.0.0.1", "--port", port, *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 300
    try:
        while process.poll() is None and time.monotonic() < until and not _answers(httpx, address):
            time.sleep(0.5)
        yield f"{address}/v1"
    finally:
        process.terminate()
        process.wait(30)


def _answers(httpx: Any, address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=2).is_success
    except httpx.TransportError:
        return False


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", str(value)]


def record(reports: int) -> tuple[str, Asks]:
    """Our weights' folder, and the chats of `reports` reports: FINDINGS first, then IMPRESSION from the template's
    FINDINGS, so that no engine has to run for them."""
    from reports import plan

    from models.contracts import ReportRequest
    from models.findings.mention_text import arrange
    from models.language.prompts import findings_messages, impression_messages
    from models.language.vllm_engine import VllmReportGenerator
    from models.phantom.template import TemplateReportGenerator

    specs = plan(reports)
    drafts = TemplateReportGenerator().generate([ReportRequest(s.sample_id, s.mentions, s.index) for s in specs])
    first = [findings_messages(arrange(spec.mentions, spec.index)) for spec in specs]
    second = [
        impression_messages(arrange(spec.mentions, spec.index + 1), chat, draft.findings)
        for spec, chat, draft in zip(specs, first, drafts, strict=True)
    ]
    return str(VllmReportGenerator().weights.folder), [{"messages": list(chat)} for chat in [*first, *second]]


def part(asks: Asks, count: int) -> Asks:
    """The chats of the first `count` reports."""
    half = len(asks) // 2
    return [*asks[:count], *asks[half : half + count]]


def measure(side: str, python: str, asks: Path, count: int) -> tuple[float, float]:
    """Seconds of a whole process that writes `count` reports, and the mean length of a section in characters."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, __file__, "--side", side, "--asks", str(asks), "--reports", str(count), "--out", folder]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=_environment(python), check=False)
        seconds = time.perf_counter() - started
    counted = re.search(r"sections=(\d+) characters=(\d+)", done.stdout)
    if done.returncode or counted is None or int(counted[1]) != 2 * count:
        raise RuntimeError(f"{side} failed on {count} reports:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    return seconds, int(counted[2]) / int(counted[1])


def _environment(python: str) -> dict[str, str]:
    """Ours, with the interpreter's commands first on the path: two of the peers start `vllm` by its name."""
    path = os.pathsep.join([str(Path(python).absolute().parent), os.environ.get("PATH", "")])
    return os.environ | ENVIRONMENT | {"PATH": path}


def compare(sides: Sequence[tuple[str, str]], reports: int, rounds: int, asks: Path) -> dict[str, list[float]]:
    """Seconds per further report of each side, in turns."""
    found: dict[str, list[float]] = {side: [] for side, _ in sides}
    for number in range(rounds):
        for side, python in sides if number % 2 == 0 else list(reversed(sides)):
            few, _ = measure(side, python, asks, FEW)
            all_of_them, length = measure(side, python, asks, reports)
            found[side].append((all_of_them - few) / (reports - FEW))
            print(
                f"round {number + 1} {side:11} {few:6.1f} s for {FEW}, {all_of_them:6.1f} s for {reports}: "
                f"{1 / found[side][-1]:.2f} reports/s, {length:.0f} characters a section",
                flush=True,
            )
    return found


def main() -> None:
    """Run the sides one at a time and print ratios; with ``--side``, be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--only", nargs="*", choices=list(SIDES), default=list(SIDES))
    for hidden in ("--side", "--asks", "--out"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        model, asks = json.loads(Path(args.asks).read_text(encoding="utf-8"))
        texts = [text for text in SIDES[args.side](part(asks, args.reports), Path(args.out) / "made", model) if text]
        print(f"sections={len(texts)} characters={sum(map(len, texts))}")
        return
    sides = []
    for side in args.only:
        python = args.python if side in MODULES else sys.executable
        known = subprocess.run([python, "-c", f"import {MODULES.get(side, 'json')}"], capture_output=True, check=False)
        if known.returncode == 0:
            sides.append((side, python))
        else:
            print(f"{side} is left out: {python} cannot import it")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(record(args.reports), file)
        file.flush()
        found = compare(sides, args.reports, args.rounds, Path(file.name))
    ours = median(found["ours"])
    for side, seconds in found.items():
        print(f"ours over {side}: {median(seconds) / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
