"""Findings of real chest reports that are not in the phantom's vocabulary, and which of them are mere signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.contracts import Mention
from models.findings.chest_recogniser import ChestRecogniser
from models.findings.lexicon import PHANTOM
from models.findings.mention_text import core
from models.findings.ontology import FINDING_TYPES, concepts, recognised_findings
from models.findings.tokens import key

SIGNS: Mapping[str, frozenset[str]] = {
    concept.name: concept.sign_of for concept in concepts().values() if concept.sign_of
}
"""A sign or a cause, and the findings that it may be said of."""
KNOWN = recognised_findings()
_RECOGNISER = ChestRecogniser(anatomy=False)


def recognises(text: str) -> bool:
    """Whether one of `KNOWN` stands in `text`, stated or denied."""
    return any(span.concept in KNOWN for span in _RECOGNISER.spans([text])[0])


def foreign_findings(text: str, asked: Sequence[Mention]) -> list[str]:
    """The words of every finding stated in `text` that is none of the phantom's, was not asked for and is no sign."""
    labels = {mention.label for mention in asked}
    wanted = [set(key(core(mention))) for mention in asked]
    return [
        span.text
        for span in _RECOGNISER.spans([text])[0]
        if span.status != "absent"
        and span.type in FINDING_TYPES
        and span.concept not in PHANTOM.names
        and not SIGNS.get(span.concept, frozenset()) & labels
        and not any(set(key(span.text)) <= words for words in wanted)
    ]
