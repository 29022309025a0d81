"""The endpoint generator over real HTTP: retries, refusals, and a server that ignores the constraint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from models.contracts import EntityType, Mention, ReportGenerator, ReportRequest
from models.language.openai_endpoint import OpenAIReportGenerator
from models.language.vllm_engine import VllmReportGenerator
from models.language.writing import Ask

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]
EFFUSION = Mention("a", EntityType.ABNORMALITY, "small left pleural effusion", "pleural effusion", True, "left")
REQUEST = ReportRequest("s-0", (EFFUSION,), 7)


def says(text: str, finish: str = "stop") -> tuple[int, dict[str, Any]]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}
    return 200, {
        "id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage,
    }  # fmt: skip


def obedient(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if "IMPRESSION" in body["messages"][-1]["content"]:
        return says("Small left pleural effusion.")
    return says("There is a small left pleural effusion.")


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[OpenAIReportGenerator, list[dict[str, Any]]]]]:
    """Start a server that answers with a function; gives the generator for it and the bodies that it got."""
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Reply, **options: Any) -> tuple[OpenAIReportGenerator, list[dict[str, Any]]]:
        bodies: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                bodies.append(body)
                status, answer = reply(body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        return OpenAIReportGenerator(url, "m", **options), bodies

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_both_sections_come_with_grammar_seed_and_conversation(serve) -> None:
    generator, bodies = serve(obedient)
    assert isinstance(generator, ReportGenerator)
    (draft,) = generator.generate([REQUEST])
    assert (draft.findings, draft.impression) == (
        "There is a small left pleural effusion.", "Small left pleural effusion.",
    )  # fmt: skip
    assert (draft.tokens, draft.error) == (18, None)
    assert [body["seed"] for body in bodies] == [14, 15]
    assert all(body["structured_outputs"]["grammar"].startswith("root ::=") for body in bodies)
    assert bodies[1]["messages"][2]["content"] == draft.findings


def test_a_server_that_ignores_the_grammar_is_found_out(serve) -> None:
    generator, bodies = serve(lambda _: says("The lungs are clear."))
    (draft,) = generator.generate([REQUEST])
    assert "ignores structured_outputs" in (draft.error or "")
    assert len(bodies) == 1


def test_free_decoding_sends_no_grammar_and_drops_headings_and_chatter(serve) -> None:
    generator, bodies = serve(lambda _: says("FINDINGS: Clear\nlungs.\n\nLet me know!"), decoding="free")
    (draft,) = generator.generate([REQUEST])
    assert (draft.findings, draft.error) == ("Clear lungs.", None)
    assert "structured_outputs" not in bodies[0]


def test_a_busy_server_is_asked_again(serve) -> None:
    statuses = iter([503, 429, 200, 500])
    generator, bodies = serve(
        lambda body: obedient(body) if (s := next(statuses, 200)) == 200 else (s, {"error": "busy"})
    )
    assert generator.generate([REQUEST])[0].error is None
    assert len(bodies) == 5


def test_a_refused_request_stops_no_other_and_is_not_repeated(serve) -> None:
    def reply(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "poison" in body["messages"][1]["content"]:
            return 400, {"error": {"message": "invalid grammar", "type": "BadRequestError"}}
        return obedient(body)

    generator, bodies = serve(reply)
    poison = ReportRequest("s-1", (Mention("p", EntityType.ABNORMALITY, "poison"),), 8)
    drafts = generator.generate([REQUEST, poison, REQUEST])
    assert [draft.error is None for draft in drafts] == [True, False, True]
    assert "refused" in (drafts[1].error or "")
    assert len(bodies) == 5


def test_a_cut_off_text_is_an_error(serve) -> None:
    generator, _ = serve(lambda _: says("There is a small left", finish="length"))
    assert "stopped with 'length'" in (generator.generate([REQUEST])[0].error or "")


def test_no_server_and_a_wrong_key_name_the_option_and_never_the_key(serve, monkeypatch) -> None:
    with pytest.raises(ConnectionError, match=r"check reports\.generator\.options\.base_url"):
        OpenAIReportGenerator("http://127.0.0.1:9/v1", "m", tries=2).generate([REQUEST])
    monkeypatch.setenv("MY_KEY", "secret-value")
    generator, _ = serve(lambda _: (401, {"error": {"message": "bad key"}}), api_key_variable="MY_KEY")
    with pytest.raises(ConnectionError, match="MY_KEY") as raised:
        generator.generate([REQUEST])
    assert "secret-value" not in str(raised.value)
    assert "secret-value" not in str(generator.card)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="concurrency"):
        OpenAIReportGenerator("http://x/v1", "m", concurrency=0)


@pytest.mark.engine
def test_a_real_model_behind_the_endpoint(serve, engine: VllmReportGenerator, requests_for) -> None:
    one_at_a_time = threading.Lock()

    def reply(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with one_at_a_time:
            ask = Ask(body["messages"], body["seed"], body["max_tokens"], body["structured_outputs"]["grammar"])
            (answer,) = engine.answer([ask])
        return says(answer.text, "length" if answer.error else "stop")

    generator, _ = serve(reply, concurrency=4)
    drafts = generator.generate(requests_for(2))
    assert [draft.error for draft in drafts] == [None, None]
    assert all(draft.findings and draft.impression for draft in drafts)
