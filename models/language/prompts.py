"""The chat prompts of the two passes. The shipped adapter was trained on exactly these words.

The second pass goes on with the conversation of the first, so that an engine's prefix cache holds all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.contracts import EntityType, Mention
from models.findings.mention_text import core, for_impression

Messages = list[dict[str, str]]

WRITE = (
    "Write the FINDINGS of a chest X-ray report: each entity word for word in a sentence of its own, "
    "in the given order, and no other finding."
)
SUMMARISE = "Now its IMPRESSION: only these, word for word, in this order:"
LEAKS = ("word for word", "entity", "entities", "sentence", "impression:", "findings:", "place:", "in this order")
"""Words of the prompts that never stand in a report: seeing one means that the prompt leaked into the text."""


def findings_messages(mentions: Sequence[Mention]) -> Messages:
    """The chat that requests FINDINGS; an absent entity is marked by ``no``, a place by ``place``."""
    lines = [_line(mention) for mention in mentions]
    return [{"role": "system", "content": WRITE}, {"role": "user", "content": "\n".join(lines)}]


def impression_messages(mentions: Sequence[Mention], first: Messages, findings: str) -> Messages:
    """The conversation `first` with its answer `findings`, going on to ask for the IMPRESSION."""
    names = "\n".join(core(mention) for mention in for_impression(mentions)) or "nothing was found"
    return [
        *first,
        {"role": "assistant", "content": findings},
        {"role": "user", "content": f"{SUMMARISE}\n{names}"},
    ]


def _line(mention: Mention) -> str:
    if not mention.present:
        return f"no {core(mention)}"
    return f"place: {core(mention)}" if mention.type is EntityType.ANATOMY else core(mention)
