"""Marks that steer a chat model or a terminal, and have no place in an entity or a report."""

from __future__ import annotations

import re

CHAT_MARKS = re.compile(
    r"<[|｜][^<>\n]{0,64}?[|｜]>"  # ChatML, Llama 3, Phi, GLM, DeepSeek
    r"|<[|｜]\w*"  # one that is cut short
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|IMG|BOS|EOS|PAD|UNK|SEP|CLS|MASK)\]"
    r"|</?s>|<</?SYS>>|<(?:bos|eos|pad|unk|mask|sep|cls)>"
    r"|</?(?:start_of_turn|end_of_turn|think|tool_call|tool_response|im_start|im_end|endoftext)>"
    r"|#{2,} ?(?:instruction|input|response|system|user|human|assistant)\b:?",
    re.IGNORECASE,
)
"""How the chat templates of common model families part their turns."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control characters but tab and line ends, marks of writing direction, and characters of no width."""


def chat_marks(text: str) -> list[str]:
    """The marks of a chat in `text`, each once, in order."""
    return list(dict.fromkeys(match.group() for match in CHAT_MARKS.finditer(text)))


def control_characters(text: str) -> list[str]:
    """The control characters in `text`, each once, as their code points: ``U+001B``."""
    return list(dict.fromkeys(f"U+{ord(match.group()):04X}" for match in _CONTROL.finditer(text)))
