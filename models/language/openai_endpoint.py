"""Report generator on any OpenAI-compatible server that takes vLLM's ``structured_outputs`` field."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from models.contracts import ModelCard, ReportDraft, ReportRequest
from models.language.writing import Answer, Ask, Decoding, check_decoding, clean, write_in_two_passes


class OpenAIReportGenerator:
    """Writes reports through a server's chat endpoint (protocol `ReportGenerator`).

    A server that does not know ``structured_outputs`` ignores it and answers all the same; so under
    ``entity_grammar`` every text is checked against its grammar here, and one that breaks it is a draft with
    `error`.

    Args:
        base_url: such as ``http://127.0.0.1:8000/v1``.
        model: the name under which the server knows the model.
        decoding: ``entity_grammar`` or ``free``.
        api_key_variable: environment variable that holds the key; never the key itself.
        concurrency: most requests under way at once.
        tries: how often a request is sent when the server is busy, down or answers 5xx.
        timeout: seconds per request.
        temperature, top_p, max_tokens: sampling.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        decoding: Decoding = "entity_grammar",
        api_key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 32,
        tries: int = 5,
        timeout: float = 120.0,
        temperature: float = 0.7,
        top_p: float = 1.0,
        max_tokens: int = 384,
    ) -> None:
        check_decoding(decoding)
        if min(concurrency, tries) < 1:
            raise ValueError(f"concurrency ({concurrency}) and tries ({tries}) must be at least 1")
        self.base_url, self.model = base_url, model
        self.decoding: Decoding = decoding
        self.api_key_variable, self.concurrency, self.tries, self.timeout = (
            api_key_variable, concurrency, tries, timeout,
        )  # fmt: skip
        self.sampling: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}

    @property
    def card(self) -> ModelCard:
        """The server's word for the model; its weights cannot be seen from here, so `sha256` is empty."""
        details = {"base_url": self.base_url, "decoding": self.decoding} | {
            k: str(v) for k, v in self.sampling.items()
        }
        return ModelCard("openai", self.model, "served", "", "unknown", details)

    @cached_property
    def client(self) -> Any:
        """The HTTP client; tenacity retries, so the client's own retries are off."""
        from openai import OpenAI

        key = os.environ.get(self.api_key_variable, "none")
        return OpenAI(base_url=self.base_url, api_key=key, timeout=self.timeout, max_retries=0)

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        """One draft per request, in order.

        Raises:
            ConnectionError: the server cannot be reached at all, or refuses the key.
        """
        return write_in_two_passes(requests, self.decoding, self.answer)

    def answer(self, asks: Sequence[Ask]) -> list[Answer]:
        """Write sections, at most `concurrency` at a time."""
        with ThreadPoolExecutor(max_workers=self.concurrency) as pool:
            return list(pool.map(self._answer, asks))

    def _answer(self, ask: Ask) -> Answer:
        import openai

        try:
            reply = self._send(ask)
        except (openai.APIConnectionError, openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise ConnectionError(
                f"report server {self.base_url}: {error}; check reports.generator.options.base_url, that the server "
                f"is up, and the key in the variable {self.api_key_variable}"
            ) from error
        except openai.APIError as error:
            return Answer("", 0, f"the server refused the request: {error.message}")
        return self._read(ask, reply)

    def _send(self, ask: Ask) -> Any:
        import openai
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        again = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError)
        extra = {"structured_outputs": {"grammar": ask.grammar}} if ask.grammar else None
        retrying = Retrying(
            retry=retry_if_exception_type(again),
            stop=stop_after_attempt(self.tries),
            wait=wait_random_exponential(multiplier=0.2, max=20),
            reraise=True,
        )
        return retrying(
            self.client.chat.completions.create,
            model=self.model,
            messages=ask.messages,
            seed=ask.seed,
            extra_body=extra,
            **(self.sampling | {"max_tokens": min(self.sampling["max_tokens"], ask.budget)}),
        )

    def _read(self, ask: Ask, reply: Any) -> Answer:
        choice = reply.choices[0]
        raw = choice.message.content or ""
        tokens = reply.usage.completion_tokens if reply.usage else 0
        if choice.finish_reason != "stop":
            return Answer(
                clean(raw), tokens, f"the server stopped with {choice.finish_reason!r} after {tokens} tokens"
            )
        if ask.pattern is not None and ask.pattern.fullmatch(raw) is None:
            return Answer(clean(raw), tokens, "the text breaks its grammar: the server ignores structured_outputs")
        return Answer(clean(raw), tokens)
