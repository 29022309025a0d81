"""The labels of an archive in the words of reports."""

from __future__ import annotations

import hashlib

from models.findings.label_sets import LabelSet, load, plain
from storage.canonical import canonical_json
from tasks.corpora.archives.film import NORMAL_LABELS


class LabelWords:
    """What the labels of a set are called in a report; without a set their names, as words.

    Args:
        label_set: name of a set of `models.findings.label_sets`, or empty.
    """

    def __init__(self, label_set: str) -> None:
        self._set: LabelSet | None = load(label_set) if label_set else None

    @property
    def sha256(self) -> str:
        """Of all the set's words: other words, other texts."""
        labels = self._set.labels if self._set is not None else ()
        words = [[label.name, self.phrase(label.name)] for label in labels]
        return hashlib.sha256(canonical_json(words).encode()).hexdigest()

    def is_normal(self, name: str) -> bool:
        """Whether it is the label for no finding."""
        return name in NORMAL_LABELS or (self._set is not None and self._set.is_no_finding(name))

    def phrase(self, name: str) -> str | None:
        """The label as a noun phrase, such as ``pleural effusion``; None for one that names no finding."""
        if self.is_normal(name) or (self._set is not None and plain(name) in map(plain, self._set.remarks)):
            return None
        label = self._set.find(name) if self._set is not None else None
        return label.statement if label is not None else words_of(name)


def words_of(name: str) -> str:
    """A label's name as words: ``Pleural_Thickening`` is ``pleural thickening``."""
    words = " ".join(name.replace("_", " ").replace("/", " or ").split())
    return words if words.isupper() else words.lower()
