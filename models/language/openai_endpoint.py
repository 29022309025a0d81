"""Report generator on any OpenAI-compatible server. Grammars and begun answers are extensions of vLLM's server."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import cached_property
from itertools import count
from typing import Any

from models.contracts import ModelCard, ReportDraft, ReportRequest, RequestsRefused, one_line
from models.language.allowance import Allowance
from models.language.decodings import write_drafts
from models.language.marks import chat_marks, control_characters
from models.language.options import OpenAIOptions
from models.language.script import Completion, CompletionRequest, OnCompletion, step_of
from models.language.shorter import shorten_drafts


class OpenAIReportGenerator:
    """Writes reports through a server's chat endpoint (protocol `ReportGenerator`).

    A server ignores unknown fields and answers all the same. So under ``entity_grammar`` every text is
    checked against its grammar here, under ``json`` it is parsed strictly, and ``segments`` checks each sentence and
    is complete on any server. A request that fails after its tries is a draft with `error`; it stops no other. The
    server's tokenizer is not known here, so a text with marks of a chat or control characters is not sent at all.

    Args:
        options: see `OpenAIOptions`.

    Attributes:
        allowance: what was spent, and what may be.
    """

    options_model = OpenAIOptions

    def __init__(self, options: OpenAIOptions) -> None:
        self.options = options
        self.allowance = Allowance(
            options.token_budget, options.cost_budget, options.prompt_price, options.answer_price
        )
        self._line = _Line(options.concurrency)

    @property
    def card(self) -> ModelCard:
        """The server's word for the model; its weights cannot be seen from here, so `sha256` is empty."""
        details = {"base_url": self.options.base_url, "decoding": self.options.decoding} | {
            k: str(v) for k, v in self.options.sampling.items()
        }
        if tuple(self.options.ladder) != (1.0,):
            details["ladder"] = str(list(self.options.ladder))
        return ModelCard("openai", self.options.model, "served", "", "unknown", details)

    @cached_property
    def client(self) -> Any:
        """The HTTP client, which retries by itself."""
        from openai import OpenAI

        options = self.options
        key = os.environ.get(options.api_key_variable, "none")
        return OpenAI(base_url=options.base_url, api_key=key, timeout=options.timeout, max_retries=options.tries - 1)

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        """One draft per request, in order.

        Raises:
            ConnectionError: the server answers nothing at all.
            RequestsRefused: it refuses the key, and never took a request.
        """
        self._line = _Line(min(self.options.concurrency, len(requests)))
        return write_drafts(requests, self.options.decoding, self.run)

    def shorten(
        self, requests: Sequence[ReportRequest], drafts: Sequence[ReportDraft], shares: Sequence[float]
    ) -> list[ReportDraft]:
        """The drafts with their IMPRESSION said again in fewer words (`models.language.shorter`)."""
        self._line = _Line(min(self.options.concurrency, len(requests)))
        return shorten_drafts(requests, drafts, shares, self.options.decoding, self.run)

    def restart(self) -> None:
        """Close the connections; the next call opens new ones. What was spent stays spent."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def run(self, requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        """Write texts (`models.language.script.Engine`), at most `concurrency` at a time."""
        _ = self.client  # made here once, not by several threads
        numbers = count()
        with ThreadPoolExecutor(max_workers=self.options.concurrency) as pool:
            running = {pool.submit(self._answer, request): next(numbers) for request in requests}
            try:
                while running:
                    ended, _ = wait(running, return_when=FIRST_COMPLETED)
                    for one in sorted(ended, key=running.__getitem__):
                        more = on_completion(running.pop(one), one.result())
                        running |= {pool.submit(self._answer, request): next(numbers) for request in more}
            finally:
                for one in running:
                    one.cancel()

    def _answer(self, request: CompletionRequest) -> Completion:
        import openai

        line = self._line
        if (spent := self.allowance.refusal()) is not None:
            return Completion("", 0, spent, fault=True, refused=True)
        if (cut := line.refusal()) is not None:
            return Completion("", 0, cut, fault=True)
        if (marks := _marks(request)) is not None:
            return Completion("", 0, marks)
        try:
            reply = self._send(request)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            if not line.ever:
                raise RequestsRefused(self._unusable(error)) from error
            return Completion("", 0, f"the server refused the request: {one_line(error)}", fault=True)
        except openai.APIConnectionError as error:  # a timeout is one too
            if line.lost():
                raise ConnectionError(self._unusable(error)) from error
            return Completion("", 0, f"no answer after {self.options.tries} tries: {error}", fault=True)
        except openai.APIError as error:
            line.heard()
            why = f"the server refused the request: {one_line(error)}"
            if isinstance(error, openai.NotFoundError):
                why += "; check reports.generator.options.model and base_url"
            return Completion("", 0, why, fault=True, refused=_is_refusal(error))
        except ValueError as error:
            line.heard()
            return Completion("", 0, f"the server's answer is no JSON: {error}", fault=True)
        line.heard()
        return self._read(request, reply)

    def _send(self, request: CompletionRequest) -> Any:
        extra: dict[str, Any] = {}
        messages = request.messages
        if request.grammar:
            extra["structured_outputs"] = {"grammar": request.grammar}
        if request.schema:
            schema = {"name": "report", "schema": dict(request.schema), "strict": True}
            extra["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.prefix:
            messages = [*messages, {"role": "assistant", "content": request.prefix}]
            extra |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.stop:
            extra["stop"] = [request.stop]
        sampling = self.options.sampling | {
            "max_tokens": min(self.options.sampling["max_tokens"], request.budget),
            "temperature": self.options.sampling["temperature"] * step_of(self.options.ladder, request.attempt),
        }
        return self.client.chat.completions.create(
            model=self.options.model, messages=messages, seed=request.seed, extra_body=extra or None, **sampling
        )

    def _read(self, request: CompletionRequest, reply: Any) -> Completion:
        try:
            choice = reply.choices[0]
            raw, ending = choice.message.content or "", choice.finish_reason
            usage = reply.usage
            prompt_tokens, tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        except (AttributeError, TypeError, IndexError):
            return Completion("", 0, "the server's answer is no chat completion", fault=True)
        self.allowance.charge(prompt_tokens, tokens)
        if ending == "length":
            return Completion(raw, tokens, f"the server stopped with 'length' after {tokens} tokens: raise max_tokens")
        if ending != "stop":
            return Completion(raw, tokens, f"the server stopped with {ending!r} after {tokens} tokens", fault=True)
        if request.pattern is not None and request.pattern.fullmatch(raw) is None:
            why = "the text breaks its grammar: the server ignores structured_outputs"
            return Completion(raw, tokens, why, fault=True)
        return Completion(raw, tokens)

    def _unusable(self, error: Exception) -> str:
        return (
            f"report server {self.options.base_url}: {one_line(error)}; check "
            "reports.generator.options.base_url, that the server is up, and the key in the variable "
            f"{self.options.api_key_variable}"
        )


def _marks(request: CompletionRequest) -> str | None:
    """Why the texts of `request` are not sent; None where no mark in them could end a turn."""
    for text in (*(message["content"] for message in request.messages), request.prefix):
        for kind, found in (("a mark of a chat", chat_marks(text)), ("a control character", control_characters(text))):
            if found:
                return f"the prompt holds {kind}, {found[0]!r}, and is not sent: take it out of the entity bank"
    return None


def _is_refusal(error: Any) -> bool:
    """Whether the server would not take this request whenever it came: not busy, and not broken."""
    status = getattr(error, "status_code", None)
    return isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 425, 429)


class _Line:
    """What one batch has learnt of the connection, from all its threads; `patience` losses in a row mean it is cut."""

    def __init__(self, patience: int) -> None:
        self._patience, self._lock = patience, threading.Lock()
        self.ever, self._lost_in_a_row = False, 0

    def heard(self) -> None:
        """The server answered, be it with a refusal."""
        with self._lock:
            self.ever, self._lost_in_a_row = True, 0

    def lost(self) -> bool:
        """A request got no answer; True when the line is cut and there never was one."""
        with self._lock:
            self._lost_in_a_row += 1
            return self._lost_in_a_row >= self._patience and not self.ever

    def refusal(self) -> str | None:
        """Why asking on makes no sense; None while it does."""
        with self._lock:
            cut = self._lost_in_a_row >= self._patience
        return f"the server went away: {self._patience} requests in a row got no answer" if cut else None
