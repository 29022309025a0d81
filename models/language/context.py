"""How many tokens the chats of some reports take at least, counted by the tokenizer without an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from models.contracts import ReportRequest
from models.language.chat import Chat, prompt_ids
from models.language.decodings import Decoding, coroutines_of
from models.language.script import Completion, CompletionRequest, OnCompletion, most_tokens, run_concurrently
from models.language.tokenizer import load_tokenizer

OF_A_TURN = 64
"""More tokens than a chat template puts around a turn."""


def tokens_needed(requests: Sequence[ReportRequest], model: str, decoding: Decoding, max_tokens: int) -> list[int]:
    """For each request the tokens of its longest prompt with the most that its text may have.

    A later prompt holds what the model wrote before; the shortest that states everything stands in for it.

    Raises:
        ModelNotFound: the model has no tokenizer here.
    """
    tokenizer = load_tokenizer(model)
    return _measured(requests, decoding, max_tokens, lambda chats: [len(ids) for ids in prompt_ids(tokenizer, chats)])


def most_needed(requests: Sequence[ReportRequest], decoding: Decoding, max_tokens: int) -> int:
    """More than any of `tokens_needed`, without a tokenizer: as if every byte were a token."""
    return max(_measured(requests, decoding, max_tokens, _bytes), default=0)


def _measured(
    requests: Sequence[ReportRequest],
    decoding: Decoding,
    max_tokens: int,
    sizes: Callable[[Sequence[Chat]], list[int]],
) -> list[int]:
    meters = [_Meter(sizes, max_tokens) for _ in requests]
    for script, meter in zip(coroutines_of(requests, decoding), meters, strict=True):
        run_concurrently([script], meter.measure)
    return [meter.longest for meter in meters]


def _bytes(chats: Sequence[Chat]) -> list[int]:
    return [
        len(prefix.encode()) + sum(len(message["content"].encode()) + OF_A_TURN for message in messages) + OF_A_TURN
        for messages, prefix in chats
    ]


class _Meter:
    """Stands in for an engine: measures what it is asked, and answers with what the chat lists."""

    def __init__(self, sizes: Callable[[Sequence[Chat]], list[int]], max_tokens: int) -> None:
        self._sizes, self._max_tokens, self.longest = sizes, max_tokens, 0

    def measure(self, requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        """An `Engine`."""
        numbers = count()
        while requests:
            prompts = self._sizes([(request.messages, request.prefix) for request in requests])
            whole = [
                size + most_tokens(request, self._max_tokens) for size, request in zip(prompts, requests, strict=True)
            ]
            self.longest = max(self.longest, *whole)
            requests = [
                more for request in requests for more in on_completion(next(numbers), Completion(_stated(request), 0))
            ]


def _stated(request: CompletionRequest) -> str:
    """What the last message lists, a sentence a line."""
    return " ".join(f"{line[:1].upper()}{line[1:]}." for line in request.messages[-1]["content"].split("\n"))
