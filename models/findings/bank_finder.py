"""Find the findings of an entity bank in report text: those of real reports, and whatever else the bank names.

A term of the bank that holds a phrase of `models.findings.ontology` is found by that; every other is matched word by
word. What is no finding by itself, such as "increased" or "left lower lobe", is not matched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from models.contracts import Entity, EntityType, Mention
from models.findings.anatomy import ORGANS, POSITIONS
from models.findings.chest_recogniser import GRADES, ChestRecogniser, Span
from models.findings.lexicon import SIDES
from models.findings.mention_text import NEGATION, core
from models.findings.ontology import FINDING_TYPES, Phrase, ancestors, concepts, descriptors, frames
from models.findings.phrase_table import PhraseTable, chest_table
from models.findings.recogniser import Found
from models.findings.tokens import bag, key

_POSITIVE = {EntityType.NON_ABNORMALITY: EntityType.ABNORMALITY, EntityType.NON_DISEASE: EntityType.DISEASE}
_OPEN = bag(
    """
    a an the of in on at with and or to is are was no not any other both which this that there may be
    change changed finding abnormality abnormal disease process appearance evidence sign pattern area region structure
    new old stable unchanged improved improving worsened worsening worse better interval increase increased increasing
    decrease decreased decreasing resolved resolving persistent recent prior previous similar size number degree extent
    acute chronic subacute more less large small big high low normal clear unremarkable intact significant minor major
    slight slightly prominent prominence bilateral unilateral medical surgical visible seen noted present absent
    """
)


class BankFinder:
    """Finds the findings of a bank in a text.

    Args:
        entities: of the bank. Places, statements of the normal and devices are not matched.
    """

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._ids: set[str] = set()
        terms: dict[Phrase, tuple[str, EntityType]] = {}
        for entity in entities:
            self._ids.add(entity.id)
            kind = entity.type if entity.present else _POSITIVE.get(entity.type)
            words = key(NEGATION.sub("", entity.term))
            if (
                kind is not None
                and kind in FINDING_TYPES
                and not _open(words)
                and not _has_phrase(words, chest_table())
            ):
                terms.setdefault(words, (" ".join(words), kind))
        self.known: frozenset[str] = frozenset(
            [name for name, concept in concepts().items() if concept.type in FINDING_TYPES]
            + [name for name, _ in terms.values()]
        )
        self._recogniser = ChestRecogniser(anatomy=False, table=chest_table().extended(terms))

    def spans(self, text: str) -> list[Span]:
        """The findings that stand in a text, denied or not, in order."""
        return [span for span in self._recogniser.spans([text])[0] if span.concept in self.known]

    def find(self, text: str) -> list[Found]:
        """`spans` that are certain, as a comparison of two sections takes them."""
        return [
            Found(span.concept, span.status == "present", span.side, None, _grade(span.severity), span.start, span.end)
            for span in self.spans(text)
            if span.status != "uncertain"
        ]

    def covers(self, mention: Mention) -> bool:
        """Whether a mention is of the bank, or a finding that would be seen in a text."""
        return mention.type is EntityType.ANATOMY or mention.entity in self._ids or bool(self.spans(mention.phrase))

    def extra(self, text: str, asked: Sequence[Mention]) -> list[str]:
        """The words of every finding stated in `text` that was not asked for.

        A finding is asked for where a mention names it, a kind of it, its label, or what it is a sign of, and where
        its words are among those of a mention.
        """
        wanted = [set(key(core(mention))) for mention in asked]
        named = {name for mention in asked for name in self._named(mention)}
        named |= {parent for name in named if name in concepts() for parent in ancestors(name)}
        return [
            span.text
            for span in self.spans(text)
            if span.status != "absent"
            and span.concept not in named
            and not (span.concept in concepts() and concepts()[span.concept].sign_of & named)
            and not any(set(key(span.text)) <= words for words in wanted)
        ]

    def _named(self, mention: Mention) -> set[str]:
        names = {span.concept for span in self.spans(core(mention))}
        return names | ({mention.label.lower()} if mention.label else set())


def _grade(severity: str | None) -> str | None:
    """One spelling of a grade: mildly is mild."""
    return severity.removesuffix("ly") if severity else None


@lru_cache(maxsize=1)
def _no_findings() -> frozenset[str]:
    properties = frozenset(word for frame in frames() for word in frame.properties)
    return _OPEN | GRADES | descriptors() | POSITIONS | ORGANS | frozenset(SIDES) | properties


def _open(words: Phrase) -> bool:
    """Whether words state no finding by themselves: "increased", "left lower lobe"."""
    return all(word in _no_findings() or word.isdigit() for word in words)


def _has_phrase(words: Phrase, table: PhraseTable) -> bool:
    return any(
        words[at : at + size] in table.phrases
        for at, word in enumerate(words)
        for size in range(1, min(table.longest.get(word, 0), len(words) - at) + 1)
    )
