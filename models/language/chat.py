"""From chats to token ids, so that only the chat template makes control tokens: their contents never do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from models.language.prompts import Messages

Chat = tuple[Messages, str]
"""A chat and how its answer begins already."""

_NAMED = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")
_HOLE = "\ue000"  # of the private use area: no report holds it


def prompt_ids(tokenizer: Any, chats: Sequence[Chat]) -> list[list[int]]:
    """The token ids of each chat, ready to be continued.

    A chat whose contents hold no control token is one text to the tokenizer. In any other, what looks like a control
    token is cut into characters first: the model reads the same letters, and no turn of the chat ends there.

    Args:
        tokenizer: a tokenizer of transformers, with its chat template.
        chats: the messages, and the begun answer or ``""``.
    """
    marks = _marks(tokenizer)
    held = [_holes(chat, marks) for chat in chats]
    if not held:
        return []
    texts = tokenizer.apply_chat_template([chat for (chat, _), _ in held], tokenize=False, add_generation_prompt=True)
    texts = [text + prefix for text, ((_, prefix), _) in zip(texts, held, strict=True)]
    pieces = [_filled(text, words) for text, (_, words) in zip(texts, held, strict=True)]
    flat = tokenizer([piece for each in pieces for piece in each], add_special_tokens=False)["input_ids"]
    ids = iter(flat)
    return [[token for _ in each for token in next(ids)] for each in pieces]


def control_tokens(added: Iterable[tuple[str, bool]]) -> frozenset[str]:
    """Which of a tokenizer's added tokens steer a model: plain words, single signs and white space do not.

    Args:
        added: text of each added token, and whether the tokenizer calls it special.
    """
    tokens = ((text, special) for text, special in added if len(text.strip()) > 1 and not text.strip().isalnum())
    return frozenset(text for text, special in tokens if special or _NAMED.fullmatch(text))


@lru_cache(maxsize=2)
def _marks(tokenizer: Any) -> re.Pattern[str]:
    """The control tokens of a tokenizer, the longest first."""
    added = ((str(token), bool(token.special)) for token in tokenizer.added_tokens_decoder.values())
    longest_first = sorted(control_tokens(added), key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _holes(chat: Chat, marks: re.Pattern[str]) -> tuple[Chat, list[str]]:
    """The chat with a numbered hole for every control token in its contents, and what belongs there."""
    messages, prefix = chat
    words: list[str] = []

    def hole(match: re.Match[str]) -> str:
        words.append(match.group())
        return f"{_HOLE}{len(words) - 1}{_HOLE}"

    def inert(text: str) -> str:
        return marks.sub(hole, text.replace(_HOLE, "")) if marks.search(text) else text

    made = [{key: inert(value) if key == "content" else value for key, value in one.items()} for one in messages]
    return (made, inert(prefix)), words


def _filled(text: str, words: Sequence[str]) -> list[str]:
    """The rendered text in pieces that are tokenised alone: each control token of the contents in characters."""
    if not words:
        return [text]
    pieces = re.split(rf"{_HOLE}(\d+){_HOLE}", text)
    return [part for at, piece in enumerate(pieces) for part in (words[int(piece)] if at % 2 else [piece]) if part]
