"""Where FINDINGS states a mention: word for word, by what the words mean, or by what is near in an embedding."""

from __future__ import annotations

import re
from typing import Literal

from models.contracts import Encoder, EntityType, Mention
from models.findings.chest_recogniser import ChestRecogniser
from models.findings.mention_text import core
from models.findings.negation import denied, sentences
from models.findings.recogniser import Found, mentions, polarities
from models.findings.tokens import key, words

Mode = Literal["exact", "normalised", "soft"]
MODES: tuple[Mode, ...] = ("exact", "normalised", "soft")
_POSITIVE = {EntityType.NON_ABNORMALITY: EntityType.ABNORMALITY, EntityType.NON_DISEASE: EntityType.DISEASE}
_SIDED = re.compile(r"\b(left|right)-sided\b")


def exact(mention: Mention, text: str) -> list[bool]:
    """The polarity of every place where the mention's words stand in `text`, letter case and line ends aside."""
    return polarities(text, core(mention))


def normalised(mention: Mention, text: str) -> list[bool]:
    """The polarity of every place that means the mention: another word, order, plural or spelling.

    A finding of the vocabulary needs its side, zone and severity beside it; other words must stand in one sentence.
    """
    if mention.label is not None and mention.type is not EntityType.ANATOMY:
        return [found.present for found in mentions(text) if found.label == mention.label and _same(mention, found)]
    wanted = set(key(_SIDED.sub(r"\1", core(mention).lower())))
    results = []
    for _, sentence in sentences(_SIDED.sub(r"\1      ", text.lower())):
        there = [(start, end) for word, start, end in words(sentence) if word in wanted]
        if wanted and wanted <= {word for word, _, _ in words(sentence)}:
            results.append(not denied(sentence, there[0][0], there[-1][1]))
    return results


def soft(mention: Mention, text: str, encoder: Encoder, similarity: float) -> list[bool]:
    """The polarity of every entity of the mention's type that is near its words; another side is never near."""
    kind = _POSITIVE.get(mention.type, mention.type)
    spans = [
        span
        for span in ChestRecogniser().spans([text])[0]
        if _POSITIVE.get(span.type, span.type) is kind and not _other(span.side, mention.side)
    ]
    spans = [span for span in spans if not _other(span.severity, mention.severity)]
    if not spans:
        return []
    rows = encoder.embed([_words(mention), *(span.term for span in spans)])
    near = rows[1:] @ rows[0] >= similarity
    return [span.status != "absent" for span, close in zip(spans, near, strict=True) if close]


def stated(mention: Mention, text: str, mode: Mode, encoder: Encoder | None, similarity: float) -> list[bool]:
    """The polarity of every place that states `mention` in `mode`; a looser mode takes what a stricter one takes."""
    found = exact(mention, text)
    if mode != "exact" and not found:
        found = normalised(mention, text)
    # A finding that the rules found in the text with another zone is an error, not a near match.
    known = any(other.label == mention.label for other in mentions(text))
    if mode == "soft" and not found and not known and encoder is not None:
        found = soft(mention, text, encoder, similarity)
    return found


def _same(mention: Mention, found: Found) -> bool:
    pairs = ((mention.side, found.side), (mention.zone, found.zone), (mention.severity, found.severity))
    return all(wanted is None or wanted == seen for wanted, seen in pairs) or not mention.present


def _other(seen: str | None, wanted: str | None) -> bool:
    return seen is not None and wanted is not None and seen != wanted


def _words(mention: Mention) -> str:
    attributes = {word for text in (mention.side, mention.zone, mention.severity) if text for word in text.split()}
    return " ".join(word for word in core(mention).split() if word.lower() not in attributes)
