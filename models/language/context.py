"""How many tokens the chats of some reports take at least, told by the tokenizer alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from models.contracts import ReportRequest
from models.language.chat import prompt_ids
from models.language.tokenizer import load_tokenizer
from models.language.writing import Answer, Ask, Decoding, Then, most_tokens, play, scripts_of


def tokens_needed(requests: Sequence[ReportRequest], model: str, decoding: Decoding, max_tokens: int) -> list[int]:
    """For each request the tokens of its longest prompt with the most that its text may have.

    A later prompt holds what the model wrote before; the shortest that states everything stands in for it.

    Raises:
        ModelNotFound: the model has no tokenizer here.
    """
    tokenizer = load_tokenizer(model)
    meters = [_Meter(tokenizer, max_tokens) for _ in requests]
    for script, meter in zip(scripts_of(requests, decoding), meters, strict=True):
        play([script], meter.measure)
    return [meter.longest for meter in meters]


class _Meter:
    """Stands in for an engine: measures what it is asked, and answers with what the chat lists."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        self._tokenizer, self._max_tokens, self.longest = tokenizer, max_tokens, 0

    def measure(self, asks: Sequence[Ask], then: Then) -> None:
        """An `Engine`."""
        numbers = count()
        while asks:
            every = prompt_ids(self._tokenizer, [(ask.messages, ask.prefix) for ask in asks])
            sizes = [len(ids) + most_tokens(ask, self._max_tokens) for ids, ask in zip(every, asks, strict=True)]
            self.longest = max(self.longest, *sizes)
            asks = [more for ask in asks for more in then(next(numbers), Answer(_stated(ask), 0))]


def _stated(ask: Ask) -> str:
    """What the last message lists, a sentence a line."""
    return " ".join(f"{line[:1].upper()}{line[1:]}." for line in ask.messages[-1]["content"].split("\n"))
