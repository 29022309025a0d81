"""Complete by construction without a grammar: keep the sentences that are right, open the others ourselves.

The model writes FINDINGS freely. Every sentence of the text that states one asked entity, in the language of
`models.language.grammar`, is kept; other sentences go. Where an entity has none, we write the sentence up to and
including the entity and the model writes on to the full stop: a short request with a prompt that is cached. The
engine compiles no grammar and masks no token.
The few short requests of a batch run together; in bfloat16 their rounding can depend on how many there are (see
`models.language.vllm_engine`), as it does for later attempts. A batch is a function of the recipe, so its texts are.
IMPRESSION is one of at most four texts, which the plan has fixed but for their layout: it is drawn. To have a model
choose among four cost a third of the processor time (`benchmarks/decoding.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from models.contracts import EntityType, Mention, ReportRequest
from models.findings.mention_text import core
from models.language.grammar import DENIALS, capital, impression_shapes, sentence_patterns
from models.language.script import CompletionRequest, ReportCoroutine, ReportResult, clean
from models.language.sections import failed_findings, findings_request, order_of_findings, order_of_impression

TOKENS_TO_FULL_STOP = 24
_LEADS = ("", "Findings are consistent with ")
_DENIED = re.compile(r"\b(?:no|not|without|absent)\b", re.IGNORECASE)


def segmented(request: ReportRequest) -> ReportCoroutine:
    """How ``segments`` writes a report: FINDINGS, then the sentences that it missed."""
    mentions = order_of_findings(request)
    try:
        patterns = sentence_patterns(mentions)
    except ValueError as error:
        return ReportResult("", "", 0, f"FINDINGS: {error}")
    wanted = findings_request(request, mentions)
    (first,) = yield [wanted]
    if first.error and not first.text:
        return failed_findings(first)
    tokens = first.tokens
    sentences = stated(clean(first.text), mentions, patterns)
    missing = [number for number, sentence in enumerate(sentences) if sentence is None]
    if missing:
        openings = [opening(mentions[number], request.seed + number) for number in missing]
        repairs = yield [
            _rest_of(wanted, sentences[:number], begun, number)
            for number, begun in zip(missing, openings, strict=True)
        ]
        tokens += sum(repair.tokens for repair in repairs)
        for number, begun, repair in zip(missing, openings, repairs, strict=True):
            sentences[number] = closed(mentions[number], begun, repair.text, patterns[number])
    findings = " ".join(sentence for sentence in sentences if sentence)
    return ReportResult(findings, drawn_impression(request), tokens)


def stated(text: str, mentions: Sequence[Mention], patterns: Sequence[re.Pattern[str]]) -> list[str | None]:
    """For each mention its sentence in `text`, None where there is none; no sentence counts twice."""
    taken: set[int] = set()
    sentences: list[str | None] = []
    for mention, pattern in zip(mentions, patterns, strict=True):
        found = next(
            (
                match
                for start in _starts(text)
                if start not in taken and (match := pattern.match(text, start)) and not _turned(mention, match.group())
            ),
            None,
        )
        sentences.append(found and found.group())
        if found:
            taken.add(found.start())
    return sentences


def opening(mention: Mention, seed: int) -> str:
    """The beginning of the sentence that states `mention`, up to and including its words."""
    words, rng = core(mention), random.Random(seed)
    if not mention.present:
        return rng.choice(DENIALS) + words
    lead = "" if mention.type is EntityType.ANATOMY else rng.choice(_LEADS)
    return lead + words if lead else capital(words)


def closed(mention: Mention, begun: str, rest: str, pattern: re.Pattern[str]) -> str:
    """The sentence `begun`, with the rest that the model wrote where that is allowed, else without."""
    sentence = f"{begun}{rest.split('.')[0].rstrip()}."
    return sentence if pattern.fullmatch(sentence) and not _turned(mention, sentence) else f"{begun}."


def drawn_impression(request: ReportRequest) -> str:
    """One of the allowed texts, by the request's seed."""
    return random.Random(f"impression {request.seed}").choice(impression_shapes(order_of_impression(request)))


def _rest_of(wanted: CompletionRequest, before: Sequence[str | None], begun: str, number: int) -> CompletionRequest:
    prefix = " ".join([*(sentence for sentence in before if sentence), begun])
    seed = wanted.seed + ((number + 1) << 40)
    return replace(wanted, prefix=prefix, stop=".", seed=seed, budget=TOKENS_TO_FULL_STOP)


def _starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer(r"\. ", text))]


def _turned(mention: Mention, sentence: str) -> bool:
    """Whether a sentence that should state a finding denies it; ``no opacity in the left lung`` names the place."""
    if not mention.present or mention.type is EntityType.ANATOMY:
        return False
    return _DENIED.search(sentence.replace(core(mention), "", 1)) is not None
