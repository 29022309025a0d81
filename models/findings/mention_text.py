"""What of a mention belongs into which section, and the words by which it is denied."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from models.contracts import EntityType, Mention

NEGATION = re.compile(
    r"^(?:no evidence of|no sign of|negative for|absence of|free of|without|absent|no|not)\s+", re.IGNORECASE
)
NOTHING_FOUND = "No acute cardiopulmonary abnormality."


def core(mention: Mention) -> str:
    """The words that must stand in FINDINGS, on one line; a negated mention's negation is not among them.

    ``no pneumothorax`` may be written ``There is no evidence of pneumothorax``: its core is ``pneumothorax``.
    """
    words = " ".join(mention.phrase.split())
    return words if mention.present else NEGATION.sub("", words)


def for_impression(mentions: Sequence[Mention]) -> list[Mention]:
    """The mentions that the IMPRESSION names: everything present but places."""
    return [mention for mention in mentions if mention.present and mention.type is not EntityType.ANATOMY]


def arrange(mentions: Sequence[Mention], seed: int) -> tuple[Mention, ...]:
    """The mentions as FINDINGS states them: what is there, then what is not, then places, each part shuffled.

    A place that the words of a finding name already (``dense right upper zone consolidation``) needs no sentence.
    """
    rng = random.Random(seed)
    there = for_impression(mentions)
    absent = [mention for mention in mentions if not mention.present]
    places = [mention for mention in mentions if mention.present and mention.type is EntityType.ANATOMY]
    loose = [place for place in places if not any(core(place).lower() in core(m).lower() for m in there)]
    rest = absent + loose
    rng.shuffle(there)
    rng.shuffle(rest)
    return (*there, *rest)
