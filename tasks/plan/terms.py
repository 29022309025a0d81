"""The words of a bank: their one spelling, and what has no place in them."""

from __future__ import annotations

import re
import unicodedata

from models.language.marks import chat_marks

LONGEST = 300
_ACRONYM = re.compile(r"^[A-Z][A-Z0-9]+s?$")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of control characters, of characters without a shape or width of their own, and of line separators."""
_SPACES = frozenset("\t\n\r")
_MARK_SIGNS = ("<", "[", "##")


def normalise_term(term: str) -> str:
    """One space between words, lower case but for acronyms such as PICC, no end punctuation."""
    words = term.split()
    if term != term.lower():
        words = [word if _ACRONYM.match(word) else word.lower() for word in words]
    return " ".join(words).strip(" .,;:")


def unfit(text: str) -> str | None:
    """Why a text must not reach a model or a terminal, with the remedy; None where it may.

    Refused are the marks of chat templates (``<|im_end|>``, ``[INST]``), control characters but tab and line ends,
    marks of writing direction, characters of no width, line separators and halves of characters.
    """
    if not text.isprintable():
        odd = [sign for sign in text if unicodedata.category(sign) in _UNSEEN and sign not in _SPACES]
        if odd:
            name = unicodedata.name(odd[0], "a control character").lower()
            return f"holds U+{ord(odd[0]):04X} ({name}): take it out"
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    marks = chat_marks(plain) if any(sign in plain for sign in _MARK_SIGNS) else []
    if not marks and plain is not text:
        marks = chat_marks(text)
    return f"holds {marks[0]}, a control token of chat models: take it out" if marks else None
