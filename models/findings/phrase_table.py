"""The table that a recogniser matches: phrases by their words, and frames by their properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from models.contracts import EntityType
from models.findings.ontology import Frame, Phrase, frames, phrases


@dataclass(frozen=True, slots=True, eq=False)
class PhraseTable:
    """Phrases and frames.

    Args:
        phrases: words in the singular, with the concept that they name and its type.
        longest: the words of the longest phrase that begins with a word.
        frames: by each of their properties.
    """

    phrases: Mapping[Phrase, tuple[str, EntityType]]
    longest: Mapping[str, int]
    frames: Mapping[str, tuple[Frame, ...]]

    def extended(self, more: Mapping[Phrase, tuple[str, EntityType]]) -> PhraseTable:
        """This table with more phrases; one that it has already stays as it is."""
        every = {**{phrase: named for phrase, named in more.items() if phrase}, **self.phrases}
        return PhraseTable(every, _longest(every), self.frames)


@cache
def chest_table() -> PhraseTable:
    """The vocabulary of real reports (`models.findings.ontology`)."""
    by_property: dict[str, list[Frame]] = {}
    for frame in frames():
        for word in frame.properties:
            by_property.setdefault(word, []).append(frame)
    every = phrases()
    return PhraseTable(every, _longest(every), {word: tuple(found) for word, found in by_property.items()})


def _longest(every: Mapping[Phrase, tuple[str, EntityType]]) -> dict[str, int]:
    longest: dict[str, int] = {}
    for phrase in every:
        longest[phrase[0]] = max(longest.get(phrase[0], 0), len(phrase))
    return longest
