"""Label sets: the findings of an archive, a bank or a test set, with the meaning and the words of each.

A set is a table, ``tables/NAME.yaml`` of this package or a file of one's own in the same form::

    name: my-hospital
    no_finding: normal                 # optional: the label for none of the others
    remarks: [bad exposure]            # optional: labels that are no findings
    groups: {pleura: [effusion]}       # optional: findings that are scored by themselves
    labels:
      - {name: effusion, means: [pleural effusion], prompts: [pleural effusion, pleural fluid]}
      - {name: old rib fracture, kind_of: [rib fracture]}
      - {name: clip, type: non_abnormality, means: [surgical clip]}

`models.findings.mapping` turns labels of one set into those of another.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path

from models.contracts import EntityType
from models.findings.label_rows import Row, read_rows
from models.findings.ontology import concepts
from models.findings.table_files import parse_table, read_bytes, shipped, shipped_tables

ENDINGS = (".yaml", ".yml")


class UnknownLabels(ValueError):
    """Labels that a set does not have; the message names them and the labels that it has."""


class UnknownLabelSet(ValueError):
    """Neither a set that ships nor a file."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a set.

    Args:
        name: as the archive spells it.
        type: of the finding when it is there; a device is a ``non_abnormality``.
        means: concepts (`models.findings.ontology`) of which at least one is there when the label is; none where the
            label means something of its own.
        kind_of: for a label of its own, concepts that are there with it.
        prompts: noun phrases as in reports, the plainest first.
        stated: noun phrase for sentences that are made from the label, where the first prompt says more than the label
            does; see `statement`.
        phrases: more words by which reports name it.
        aliases: other spellings of the name.
        sides, zones, severities: attributes that it can take.
        patterns: regular expressions over lower-case text that take the place of phrases.
        normal_patterns: those that state the normal, and so deny it.
    """

    name: str
    type: EntityType
    means: tuple[str, ...] = ()
    kind_of: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    stated: str | None = None
    phrases: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    normal_patterns: tuple[str, ...] = ()

    @property
    def statement(self) -> str:
        """A noun phrase that says what the label says and no more, for sentences that are made from labels."""
        return self.stated or self.prompts[0]

    @property
    def device(self) -> bool:
        """Whether it is no abnormality: a device may be in a film without findings."""
        return self.type is EntityType.NON_ABNORMALITY


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The labels of an archive, a bank or a test set.

    Args:
        name: of a set that ships, or the path of a file.
        labels: the findings, in the order of the set's tables and of every label vector.
        no_finding: the label for no finding of the set (devices aside).
        remarks: labels that are about a film and are no findings.
        groups: names of findings that are scored by themselves, by the name of the group.
        sha256: of the table's bytes, for a set in a file.
    """

    name: str
    labels: tuple[Label, ...]
    no_finding: str | None = None
    remarks: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    sha256: str = ""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the findings, in order."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def _found(self) -> Mapping[str, Label]:
        every = ((spelling, label) for label in self.labels for spelling in (label.name, *label.aliases))
        return {plain(spelling): label for spelling, label in every}

    def find(self, name: str) -> Label | None:
        """The label called `name`, letter case, underscores and aliases aside; None where there is none."""
        return self._found.get(plain(name))

    def is_no_finding(self, name: str) -> bool:
        """Whether `name` is the label for no finding."""
        return self.no_finding is not None and plain(name) == plain(self.no_finding)

    def group(self, name: str) -> tuple[str, ...]:
        """The findings of a group, in the order of the set.

        Raises:
            UnknownLabels: there is no such group; the message names those that there are.
        """
        if name not in self.groups:
            known = ", ".join(self.groups) or "none"
            raise UnknownLabels(f"label set {self.name} has no group {name!r}; its groups: {known}")
        return tuple(label for label in self.names if label in self.groups[name])

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are neither findings, nor the label for none, nor remarks of the set."""
        remarks = set(map(plain, self.remarks))
        return [
            name
            for name in dict.fromkeys(names)
            if self.find(name) is None and not self.is_no_finding(name) and plain(name) not in remarks
        ]

    def check(self, names: Iterable[str], where: str = "labels") -> None:
        """Refuse labels that the set does not have.

        Raises:
            UnknownLabels: all of them at once, each with the nearest one that there is.
        """
        wrong = self.unknown(names)
        if wrong:
            listed = ", ".join(f"{name!r}{_suggest(name, self.names)}" for name in wrong)
            raise UnknownLabels(f"{where}: label set {self.name} has no {listed}; it knows {', '.join(self.names)}")


@cache
def names() -> tuple[str, ...]:
    """The label sets that ship."""
    return tuple(name for name in shipped_tables() if name != "concepts")


def load(name: str) -> LabelSet:
    """The label set `name`: one that ships, or the path of a YAML file.

    Raises:
        UnknownLabelSet: neither.
        TableError: the file holds no label set; every mistake is named.
    """
    if name in names():
        return _shipped(name)
    if name.lower().endswith(ENDINGS):
        return _in_file(name, read_bytes(Path(name).expanduser()))
    raise UnknownLabelSet(
        f"unknown label set {name!r}{_suggest(name, names())}: it is one of {', '.join(names())}, or a "
        f"{' or '.join(ENDINGS)} file"
    )


def plain(name: str) -> str:
    """A label's name without letter case, underscores and doubled spaces: what its spellings have in common."""
    return " ".join(name.replace("_", " ").casefold().split())


@cache
def _shipped(name: str) -> LabelSet:
    table = read_rows(shipped(name), f"{name}.yaml", own=False)
    return LabelSet(name, tuple(map(_label, table.labels)), table.no_finding, table.remarks, table.groups)


@lru_cache(maxsize=16)
def _in_file(name: str, data: bytes) -> LabelSet:
    table = read_rows(parse_table(data, name), name)
    labels = tuple(map(_label, table.labels))
    digest = hashlib.sha256(data).hexdigest()
    return LabelSet(name, labels, table.no_finding, table.remarks, table.groups, digest)


def _label(row: Row) -> Label:
    known = [concepts()[name].type for name in (*row.means, *row.kind_of)]
    kind = row.type or (known[0] if known else EntityType.ABNORMALITY)
    prompts = row.prompts or (row.name.replace("_", " ").lower(),)
    return Label(type=kind, prompts=prompts, **row.model_dump(exclude={"type", "prompts"}))


def _suggest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word[:80], known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
