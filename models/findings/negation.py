"""Decide whether a sentence states or denies the words at a span.

Cues and scopes after NegEx (Chapman et al. 2001, J Biomed Inform 34:301-310): a cue before the words denies
them up to the end of its clause, through lists; a cue after them denies back to the clause's verb.
"""

from __future__ import annotations

import re

_SEEN = (
    r"(?:seen|identified|present|evident|visible|visuali[sz]ed|noted|demonstrated|appreciated|detected|found|shown"
    r"|apparent|definite(?:ly)?|suspected)"
)


def _compile(pattern: str, flags: int = 0) -> re.Pattern[str]:
    r"""A pattern in which every ``\ `` is any white space: a line may end within a cue."""
    return re.compile(pattern.replace(r"\ ", r"\s+"), flags)


_CUES = _compile(
    rf"""\b(?:
      (?P<pseudo>
          no\ (?:significant\ |interval\ )*(?:change|increase|decrease)\b(?:\ (?:in|of))?
        | not\ (?:only|necessarily)
        | (?:cannot|can\ not|could\ not|not)\ (?:be\ )?(?:entirely\ )?(?:excluded?|ruled\ out|rule\ out)
      )
    | (?P<post>
          no\ longer\ {_SEEN}
        | (?:(?:is|are|was|were)\ )?not\ (?:\w+\ )?{_SEEN}
        | (?:is|are|was|were)\ (?:absent|excluded|ruled\ out)
        | (?:has|have)\ resolved
      )
    | (?P<pre>
          no | not | without | neither | nor | never | denies | absence\ of | lack\ of
        | (?:free|clear|devoid)\ (?:of|from) | negative\ for | resolution\ of
        | (?:excludes?|rules?\ out)
      )
    | (?P<stop>
          but | however | although | though | yet | except | apart\ from | aside\ from | other\ than
        | while | whereas | which | with | there\ (?:is|are|was|were|remains?)
        | (?:and|plus)\ (?:a|an|the)\ | (?:is|are|was|were|remains?)\ (?:again\ |also\ )?{_SEEN}
      )
    )\b | (?P<colon>:\s*(?:none|absent|no|negative)\b(?=\s*(?:[,;)]|$)))
    | (?P<comma>,\s+(?:and\s+)?(?:a|an|the|there)\b)
    """,
    re.VERBOSE,
)
_DOUBT = _compile(
    r"\b(?:possibl[ey]|probabl[ey]|likely|may|might|could|suspected|suspicious|suspicion|suggest(?:s|ing|ive)?"
    r"|concern(?:ing)?|question(?:able|ed)?|cannot\ (?:be\ )?(?:exclude|rule)d?|not\ (?:entirely\ )?excluded|versus|vs"
    r"|equivocal|presumed|potential(?:ly)?|perhaps|consider|differential|uncertain)\b|\?"
)
_DOUBT_AFTER = _compile(
    r"(?:is|are|be|also)\ (?:\w+\ )?(?:possible|suspected|likely|probable|questioned|considered|excluded)\b"
    r"|\bcannot\ be\ (?:\w+\ )?(?:excluded|ruled\ out)|\bnot\ (?:\w+\ )?excluded|\bversus\b|\bvs\b|\?"
)
_ASKED = _compile(
    r"\b(?:evaluat(?:e|ion|ed|ing)|assess(?:ment|ed|ing)?|exam(?:ine|ination)|search|check|obtained|looked?)"
    r"\ (?:for|of)\b"
    r"|\b(?:to|please)\ (?:exclude|evaluate|assess|rule\ out)\b|\brule\ out\b|\br/o\b"
    r"|\bsensitivity\ (?:to\ detect|for)\b"
)
_CLAUSE = re.compile(r"\b(?:is|are|was|were|has|have|shows?|remains?)\b|,\s+and\b")
_THERE = re.compile(r"\bthere (?:is|are|was|were)\b(?! no\b)")
_JOIN = re.compile(r",\s+(?:and|but)\b")
_SENTENCE = re.compile(r"(?:[^.!?;\n]|\.(?=\d))+")


def sentences(text: str) -> list[tuple[int, str]]:
    """The sentences of `text` in lower case, each with where it starts; a decimal point ends none."""
    return [(match.start(), match.group()) for match in _SENTENCE.finditer(text.lower())]


def cues(sentence: str) -> list[tuple[str, int, int]]:
    """Kind, start and end of every cue in a lower-case sentence, in order."""
    return [(match.lastgroup or "", match.start(), match.end()) for match in _CUES.finditer(sentence)]


def denied(sentence: str, start: int, end: int, found: list[tuple[str, int, int]] | None = None) -> bool:
    """Whether the lower-case `sentence` denies what stands at ``start:end``."""
    found = cues(sentence) if found is None else found
    if not found:
        return False
    before = False
    for kind, cue_start, cue_end in found:
        if cue_start >= end:
            break
        if cue_end > start:
            continue  # the cue is a part of the words themselves ("stent without migration")
        if kind == "pre":
            before = True
        elif kind in ("stop", "comma", "post", "colon"):
            before = False
    return before or _denied_after(sentence, start, end, found)


def asked(sentence: str, start: int) -> bool:
    """Whether the words at `start` only name the reason of the exam ("evaluation for pneumothorax is limited")."""
    return any(
        not re.search(r"[,;]|\b(?:is|are|was|were|shows?)\b", sentence[match.end() : start])
        for match in _ASKED.finditer(sentence, 0, start)
    )


def doubted(sentence: str, start: int, end: int) -> bool:
    """Whether the lower-case `sentence` only supposes what stands at ``start:end``.

    A word of doubt before the words in the sentence is enough; after them it must be said of them ("is possible"),
    since what "may reflect" pneumonia is there.
    """
    if any(";" not in sentence[match.end() : start] for match in _DOUBT.finditer(sentence, 0, start)):
        return True
    after = _DOUBT_AFTER.search(sentence, end)
    return after is not None and not re.search(r"[;,]|\b(?:and|with|but)\b", sentence[end : after.start()])


def _denied_after(sentence: str, start: int, end: int, found: list[tuple[str, int, int]]) -> bool:
    for kind, cue_start, _ in found:
        if cue_start < end or kind in ("pre", "pseudo"):
            continue
        if kind not in ("post", "colon"):
            return False
        between = sentence[end:cue_start]
        clause = _JOIN.split(sentence[:start])[-1]
        return not _CLAUSE.search(between) and not _THERE.search(clause)
    return False
