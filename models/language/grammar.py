"""One grammar per request: free words around the entities, every entity forced in.

Each entity stands in a sentence of its own, so a denial never reaches its neighbour. The free parts are
lower-case words, bounded in number but not in length: that keeps the automaton small (about 8 ms of CPU to
compile against 30 ms with counted repeats), and digits, quotes and line breaks cannot occur in them. Helper
rules have the same text in every grammar, because the compiler reuses what it has seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.contracts import Mention
from models.findings.mention_text import NOTHING_FOUND, core, for_impression

LEAD_WORDS, TAIL_WORDS = 8, 8
DENIALS = ("No ", "There is no ", "No evidence of ", "There is no evidence of ", "No sign of ")
_JOINTS = ("with", "and")


def findings_grammar(mentions: Sequence[Mention]) -> str:
    """EBNF (xgrammar's GBNF dialect) of a FINDINGS section that states `mentions` in their order.

    Raises:
        ValueError: there is no mention, or one has no words.
    """
    sentences = []
    for mention in mentions:
        words = _checked(mention)
        opening = "denial" if not mention.present else "lead"
        start = f"{opening} {literal(words)}"
        if mention.present:
            start = f"({start} | {literal(capital(words))})"
        sentences.append(f'{start} tail "."')
    if not sentences:
        raise ValueError("a report needs at least one mention")
    return "\n".join([f"root ::= {_SPACE.join(sentences)}", *_HELPERS]) + "\n"


def impression_grammar(mentions: Sequence[Mention]) -> str:
    """EBNF of an IMPRESSION that names exactly the present mentions that are no places, in their order.

    Three shapes, those of the phantom's reports: a sentence each, a numbered list, and two joined by a word.
    """
    return f"root ::= {' | '.join(map(literal, impression_shapes(mentions)))}\n"


def findings_pattern(mentions: Sequence[Mention]) -> re.Pattern[str]:
    """The regular expression of the language of `findings_grammar`, to check an engine that cannot be trusted."""
    return re.compile(" ".join(pattern.pattern for pattern in sentence_patterns(mentions)))


def sentence_patterns(mentions: Sequence[Mention]) -> list[re.Pattern[str]]:
    """For each mention the regular expression of the sentences that state it.

    Raises:
        ValueError: there is no mention, or one has no words.
    """
    sentences = []
    for mention in mentions:
        words = _checked(mention)
        if mention.present:
            start = f"(?:{_LEAD}{re.escape(words)}|{re.escape(capital(words))})"
        else:
            start = f"(?:{'|'.join(map(re.escape, DENIALS))}){re.escape(words)}"
        sentences.append(re.compile(rf"{start}{_TAIL}\."))
    if not sentences:
        raise ValueError("a report needs at least one mention")
    return sentences


def impression_pattern(mentions: Sequence[Mention]) -> re.Pattern[str]:
    """The regular expression of the language of `impression_grammar`."""
    return re.compile("|".join(map(re.escape, impression_shapes(mentions))))


def impression_shapes(mentions: Sequence[Mention]) -> list[str]:
    """Every IMPRESSION that is allowed: the language of `impression_grammar`, shape by shape."""
    named = [_checked(mention) for mention in for_impression(mentions)]
    if not named:
        return [NOTHING_FOUND]
    shapes = [" ".join(f"{capital(words)}." for words in named)]
    if len(named) > 1:
        shapes.append(" ".join(f"{number}. {capital(words)}." for number, words in enumerate(named, 1)))
    if len(named) == 2:
        shapes += [f"{capital(named[0])} {joint} {named[1]}." for joint in _JOINTS]
    return shapes


def literal(text: str) -> str:
    """`text` as a string literal of the grammar, whatever characters it holds."""
    return '"' + "".join(_escape(character) for character in text) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def capital(words: str) -> str:
    """`words` as a sentence begins."""
    return words[0].upper() + words[1:]


def _checked(mention: Mention) -> str:
    words = core(mention)
    if not words:
        raise ValueError(f"entity {mention.entity!r} has no words to state")
    return words


def _chain(word: str, most: int) -> str:
    """`word` at most `most` times, by nesting."""
    rule = f'("" | {word})'
    for _ in range(most - 1):
        rule = f'("" | {word} {rule})'
    return rule


_SPACE = ' " " '
_HELPERS = (
    f'lead ::= [A-Z] [a-z-]* " " {_chain("before", LEAD_WORDS)}',
    'before ::= [a-z-]+ ","? " "',
    f"tail ::= {_chain('after', TAIL_WORDS)}",
    'after ::= ","? " " [a-z-]+',
    f"denial ::= {' | '.join(literal(denial) for denial in DENIALS)}",
)
_LEAD = rf"[A-Z][a-z-]* (?:[a-z-]+,? ){{0,{LEAD_WORDS}}}"
_TAIL = rf"(?:,? [a-z-]+){{0,{TAIL_WORDS}}}"
