"""The chat prompts of the two passes. The shipped adapter was trained on exactly these words.

The instructions are the same for every request, so that an engine's prefix cache holds them.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.contracts import EntityType, Mention
from models.language.content import core, for_impression

Messages = list[dict[str, str]]

WRITE = (
    "Write the FINDINGS of a chest X-ray report: each entity word for word in a sentence of its own, "
    "in the given order, and no other finding."
)
SUMMARISE = (
    "Summarise the FINDINGS of a chest X-ray report as its IMPRESSION: name every listed entity word for word, "
    "in the given order, and nothing else."
)
LEAKS = ("word for word", "entity", "entities", "sentence", "impression:", "findings:", "summaris", "place:")
"""Words of the prompts that never stand in a report: seeing one means that the prompt leaked into the text."""


def findings_messages(mentions: Sequence[Mention]) -> Messages:
    """The chat that asks for FINDINGS; an absent entity is marked by ``no``, a place by ``place``."""
    lines = [_line(mention) for mention in mentions]
    return [{"role": "system", "content": WRITE}, {"role": "user", "content": "\n".join(lines)}]


def impression_messages(mentions: Sequence[Mention], findings: str) -> Messages:
    """The chat that asks for the IMPRESSION of `findings`."""
    names = "; ".join(core(mention) for mention in for_impression(mentions)) or "none"
    return [
        {"role": "system", "content": SUMMARISE},
        {"role": "user", "content": f"{findings}\nEntities: {names}"},
    ]


def _line(mention: Mention) -> str:
    if not mention.present:
        return f"no {core(mention)}"
    return f"place: {core(mention)}" if mention.type is EntityType.ANATOMY else core(mention)
