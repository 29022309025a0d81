"""Find the labels of any set in report text, by what its labels mean and by the words that the set lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from models.contracts import EntityType
from models.findings.chest_recogniser import ChestRecogniser, Span
from models.findings.label_sets import Label, LabelSet, load, plain
from models.findings.lexicon import PHANTOM
from models.findings.ontology import Phrase, concepts, kinds_of, phrases
from models.findings.phrase_table import chest_table
from models.findings.recogniser import Found, mentions
from models.findings.tokens import key

_ARTICLES = ("a", "an", "the")


class LabelFinder:
    """Finds the labels of a set (protocol `Recogniser`).

    A concept that is stated states every label that it is a kind of; one that is denied denies the labels that mean
    nothing beside it and its kinds. What is only supposed counts as stated.

    Args:
        label_set: the set; that of the phantom is read by its own patterns, which also find attributes.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self._stated: dict[str, tuple[str, ...]] = {}
        self._denied: dict[str, tuple[str, ...]] = {}
        if label_set is not PHANTOM:
            self._read_by_phrases(label_set)

    def recognise(self, texts: Sequence[str]) -> list[dict[str, bool]]:
        """Label to present per text; a label that is stated once and denied elsewhere counts as present."""
        results = []
        for text in texts:
            labels: dict[str, bool] = {}
            for found in self.find(text):
                labels[found.label] = labels.get(found.label, False) or found.present
            results.append(labels)
        return results

    def find(self, text: str) -> list[Found]:
        """Every label named in `text`, in order, with its polarity, side and severity."""
        if self.label_set is PHANTOM:
            return mentions(text)
        return [found for span in self._recogniser.spans([text])[0] for found in self._labels(span)]

    def label_of(self, concept: str, present: bool) -> str | None:
        """The label that is nearest to a concept (`models.findings.ontology`); None where the set has none.

        Args:
            concept: its name, such as ``pleural effusion``.
            present: whether the concept is stated, which states every label that it is a kind of, the narrowest being
                nearest; or denied, which denies every label that is a kind of it, the broadest being nearest.
        """
        if self.label_set is PHANTOM:
            return concept if concept in PHANTOM.names else None
        found = (self._stated if present else self._denied).get(concept, ())
        nearest = min if present else max
        return nearest(found, key=self._breadth, default=None)

    def _breadth(self, name: str) -> int:
        label = self.label_set.find(name)
        return 0 if label is None else len(kinds_of(label.means))

    def _labels(self, span: Span) -> list[Found]:
        present = span.status != "absent"
        names = (self._stated if present else self._denied).get(span.concept, ())
        return [Found(name, present, span.side, None, span.severity, span.start, span.end) for name in names]

    def _read_by_phrases(self, label_set: LabelSet) -> None:
        means = {label.name: kinds_of(label.means) for label in label_set.labels}
        more: dict[Phrase, tuple[str, EntityType]] = {}
        said: dict[str, list[str]] = {}
        for label in label_set.labels:
            for words in _phrases(label):
                concept, _ = phrases().get(words) or more.setdefault(words, (" ".join(words), label.type))
                if label.name not in said.setdefault(concept, []):
                    said[concept].append(label.name)
        for concept in dict.fromkeys((*concepts(), *said)):
            own = said.get(concept, [])
            self._stated[concept] = _ordered(label_set, {*own, *(name for name in means if concept in means[name])})
            kinds = kinds_of([concept])
            self._denied[concept] = _ordered(
                label_set, {*own, *(name for name in means if means[name] and means[name] <= kinds)}
            )
        self._recogniser = ChestRecogniser(anatomy=False, table=chest_table().extended(more))


@lru_cache(maxsize=16)
def _finder(label_set: LabelSet) -> LabelFinder:
    return LabelFinder(label_set)


def finder_of(label_set: LabelSet | str) -> LabelFinder:
    """The finder of a set, made once."""
    return _finder(load(label_set) if isinstance(label_set, str) else label_set)


def named_label(text: str, label_set: LabelSet) -> str | None:
    """The label of a set that a text is a name of, such as the label of another set; None where it is of none.

    Letter case, underscores, plurals and an article before it do not matter; more words than a name do.
    """
    label = label_set.find(text)
    if label is not None:
        return label.name
    spelt, words = plain(text), _words(text)
    for label in label_set.labels:
        by_pattern = any(re.fullmatch(pattern, spelt) for pattern in label.patterns)
        if by_pattern or (words and not label.patterns and words in _phrases(label)):
            return label.name
    return None


def _phrases(label: Label) -> list[Phrase]:
    """The words by which a label is named: its name, its prompts and its phrases, without articles before them."""
    named = (_words(text) for text in (label.name, *label.prompts, *label.phrases))
    return list(dict.fromkeys(words for words in named if words))


def _words(text: str) -> Phrase:
    words = key(text.replace("_", " "))
    return words[1:] if words[:1] and words[0] in _ARTICLES else words


def _ordered(label_set: LabelSet, names: set[str]) -> tuple[str, ...]:
    return tuple(name for name in label_set.names if name in names)
