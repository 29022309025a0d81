"""The findings that a gate on text searches for: the phantom's, those of real reports, a label set's or a bank's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from models.contracts import Entity, EntityType, Mention
from models.findings.bank_finder import BankFinder
from models.findings.extra_findings import KNOWN, foreign_findings, recognises
from models.findings.label_finder import finder_of
from models.findings.label_sets import LabelSet, UnknownLabelSet, load
from models.findings.lexicon import PHANTOM
from models.findings.mention_text import core
from models.findings.ontology import concepts
from models.findings.recogniser import Found, mentions
from models.findings.tokens import key

CHEST, BANK = "chest", "bank"


class Vocabulary(Protocol):
    """Findings that are seen in text."""

    @property
    def known(self) -> frozenset[str]:
        """The findings that are searched for, by name."""
        ...

    @property
    def devices(self) -> frozenset[str]:
        """Those of `known` that a normal film may show."""
        ...

    def covers(self, mention: Mention) -> bool:
        """Whether a mention would be seen if a text held it without being asked for it."""
        ...

    def find(self, text: str) -> list[Found]:
        """Every finding that a text names, in order, with its polarity and attributes."""
        ...

    def extra(self, text: str, asked: Sequence[Mention]) -> list[str]:
        """Every finding that a text states without a mention of it, each as part of a sentence."""
        ...


class PhantomVocabulary:
    """The phantom's findings with their sides, zones and severities (protocol `Vocabulary`).

    Args:
        chest: look for the findings of real reports too, such as a rib fracture.
    """

    def __init__(self, chest: bool = False) -> None:
        self._chest = chest
        self.known = frozenset(PHANTOM.names) | (KNOWN if chest else frozenset())
        self.devices = frozenset(label.name for label in PHANTOM.labels if label.device)

    def covers_entity(self, entity: Entity) -> bool:
        """Whether an entity of a bank is covered."""
        return self.covers(Mention(entity.id, entity.type, entity.term, entity.label, entity.present))

    def covers(self, mention: Mention) -> bool:
        """See the protocol."""
        seen = mention.type is EntityType.ANATOMY or mention.label in PHANTOM.names or bool(mentions(mention.phrase))
        return seen or (self._chest and recognises(mention.phrase))

    def find(self, text: str) -> list[Found]:
        """See the protocol."""
        return mentions(text)

    def extra(self, text: str, asked: Sequence[Mention]) -> list[str]:
        """See the protocol."""
        found = [
            f"{text[item.start : item.end]!r} was not asked for as {_described(item)}"
            for item in mentions(text)
            if item.present and not any(_covers(mention, item, text) or _equals(mention, item) for mention in asked)
        ]
        words = foreign_findings(text, asked) if self._chest else []
        return found + [f"{said!r} was not asked for" for said in words]


class LabelVocabulary:
    """The findings of a label set (protocol `Vocabulary`)."""

    def __init__(self, label_set: LabelSet) -> None:
        self._finder = finder_of(label_set)
        self.known = frozenset(label_set.names)
        self.devices = frozenset(label.name for label in label_set.labels if label.device)

    def covers(self, mention: Mention) -> bool:
        """See the protocol."""
        return mention.type is EntityType.ANATOMY or bool(self._named(mention))

    def find(self, text: str) -> list[Found]:
        """See the protocol."""
        return self._finder.find(text)

    def extra(self, text: str, asked: Sequence[Mention]) -> list[str]:
        """See the protocol."""
        wanted = [set(key(core(mention))) for mention in asked]
        named = {name for mention in asked for name in self._named(mention)}
        extra = [
            item
            for item in self._finder.find(text)
            if item.present
            and item.label not in named
            and not any(set(key(text[item.start : item.end])) <= words for words in wanted)
        ]
        return [f"{text[item.start : item.end]!r} was not asked for as {item.label}" for item in extra]

    def _named(self, mention: Mention) -> set[str]:
        """The labels of a mention: its own, and those that its words name."""
        own = self._finder.label_set.find(mention.label) if mention.label else None
        return {item.label for item in self._finder.find(core(mention))} | ({own.name} if own else set())


class BankVocabulary:
    """The findings of real reports and of a bank (protocol `Vocabulary`).

    Args:
        entities: of the bank. Where some of them have labels of the phantom, these are searched for with their
            attributes too.
    """

    def __init__(self, entities: Iterable[Entity]) -> None:
        every = tuple(entities)
        self._finder = BankFinder(every)
        self._phantom = PhantomVocabulary() if any(each.label in PHANTOM.names for each in every) else None
        self.known = self._finder.known
        self.devices = frozenset(name for name in concepts() if name not in self.known)

    def covers(self, mention: Mention) -> bool:
        """See the protocol."""
        return self._finder.covers(mention)

    def find(self, text: str) -> list[Found]:
        """See the protocol."""
        return self._finder.find(text)

    def extra(self, text: str, asked: Sequence[Mention]) -> list[str]:
        """See the protocol."""
        found = self._phantom.extra(text, asked) if self._phantom else []
        return found + [f"{said!r} was not asked for" for said in self._finder.extra(text, asked)]


def vocabulary_of(name: str | None) -> Vocabulary:
    """The vocabulary that a gate's option names: ``phantom`` (as None), ``chest``, a label set or the file of one.

    Raises:
        UnknownLabelSet: none of these.
        TableError: the file holds no label set.
    """
    if name in (None, PHANTOM.name, BANK):  # a bank's own is given by whoever has the bank
        return PhantomVocabulary()
    if name == CHEST:
        return PhantomVocabulary(chest=True)
    try:
        return LabelVocabulary(load(str(name)))
    except UnknownLabelSet as error:
        raise UnknownLabelSet(f"vocabulary: neither {CHEST!r} nor {BANK!r}; {error}") from error


def with_bank(chosen: str | None, entities: Sequence[Entity]) -> Vocabulary | None:
    """The vocabulary of a gate whose option is `chosen`, beside a bank; None where the bank changes nothing."""
    phantom = PhantomVocabulary()
    if chosen == BANK or (chosen is None and not all(map(phantom.covers_entity, entities))):
        return _bank_vocabulary(tuple(entities))
    return None


@lru_cache(maxsize=1)
def _bank_vocabulary(entities: tuple[Entity, ...]) -> BankVocabulary:
    """The vocabulary of a bank; the last one is kept, since several gates of a recipe ask for it."""
    return BankVocabulary(entities)


def _covers(mention: Mention, found: Found, text: str) -> bool:
    words = core(mention).lower().split()
    window = text.lower()
    pattern = r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)"
    return any(match.start() <= found.start and found.end <= match.end() for match in re.finditer(pattern, window))


def _equals(mention: Mention, found: Found) -> bool:
    pairs = ((found.side, mention.side), (found.zone, mention.zone), (found.severity, mention.severity))
    return mention.label == found.label and all(stated is None or stated == wanted for stated, wanted in pairs)


def _described(found: Found) -> str:
    words = (found.severity, found.side, found.zone, found.label)
    return " ".join(word for word in words if word)
