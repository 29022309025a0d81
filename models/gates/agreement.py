"""The gate between image and text: whether the film shows the findings of its report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models.contracts import Candidate, Entity, EntityType, GateScore, Mention
from models.findings.label_sets import load
from models.findings.mapping import Relation, counterparts
from models.nets.shipped import SHIPPED
from models.nets.slots import LABEL_SET, sided
from models.typed import AnyPath


class Agreement:
    """How surely a classifier trained on hospital A sees the asked findings, the least sure one counting.

    The score is 0.5 where the finding is as likely as in the fiftieth of hospital A's films without it that look
    most like having it, and 1 where there is nothing to ask. A finding that the classifier sees on the other side
    lowers the score too. Of other findings than hospital A's the classifier knows nothing: a report that asks for
    none but such scores NaN, and passes only where the recipe allows them to go unjudged.

    Args:
        folder: where ``agreement.safetensors`` and ``agreement.json`` lie.
        sides: look at sides as well.
        batch: films at a time.
        label_set: the findings that the classifier was trained on: the name of a label set, or a file with one. A
            label of the bank is one of these where both mean the same.

    Raises:
        ValueError: no such label set.
    """

    name = "agreement"

    def __init__(
        self, folder: AnyPath = SHIPPED, sides: bool = True, batch: int = 64, label_set: str = LABEL_SET.name
    ) -> None:
        self._folder, self._sides, self._batch = Path(folder), sides, batch
        self._label_set = load(label_set)
        self._at = {name: number for number, name in enumerate(sided(self._label_set))}
        self._own: dict[str, str] = {name: name for name in self._label_set.names}

    def take_bank(self, entities: Sequence[Entity], label_set: str) -> None:  # noqa: ARG002
        """Know the labels of a bank by those of the classifier that mean the same."""
        for name, found in counterparts(label_set, self._label_set).items():
            same = [other.label for other in found if other.relation is Relation.SAME]
            self._own |= {name: same[0]} if same else {}

    @property
    def known_labels(self) -> frozenset[str]:
        """The findings that the classifier was trained on."""
        return frozenset(self._label_set.names)

    def covers(self, mention: Mention) -> bool:
        """Denied findings and places are not asked about; of the rest, whether it is a finding that it knows."""
        return not mention.present or mention.type is EntityType.ANATOMY or mention.label in self._own

    @cached_property
    def _judge(self) -> tuple[Any, dict[str, float]]:
        from models.nets.classifier import load_classifier  # loads torch, which what only asks `covers` does without

        net, facts = load_classifier("agreement", self._folder, self._label_set)
        return net, dict(zip(self._at, facts["passing_logits"], strict=False))

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """See the class."""
        from models.nets.classifier import logits

        net, passing = self._judge
        films = [_film(candidate) for candidate in batch]
        answers = logits(net, films, self._batch)
        return [self._score(c.mentions, row, passing) for c, row in zip(batch, answers, strict=True)]

    def _score(self, mentions: Sequence[Mention], row: np.ndarray, passing: dict[str, float]) -> GateScore:
        seen = {
            own: min(_surely(row[self._at[own]] - passing[own]), self._side(own, m.side, row))
            for m in mentions
            if m.present and (own := self._own.get(m.label or "")) in passing and own is not None
        }
        if not seen and (foreign := [mention.entity for mention in mentions if not self.covers(mention)]):
            return GateScore(self.name, float("nan"), f"the classifier knows no {', no '.join(foreign)}")
        if not seen:
            return GateScore(self.name, 1.0, "the report asks for no finding that the classifier knows")
        worst = min(seen, key=lambda label: seen[label])
        return GateScore(self.name, seen[worst], f"least sure of {worst} ({seen[worst]:.2f})")

    def _side(self, label: str, side: str | None, row: np.ndarray) -> float:
        """How surely the finding is not on the other side only, 0..1."""
        asked, other = f"{label}/{side}", f"{label}/{_OTHER.get(side or '')}"
        if not self._sides or asked not in self._at or other not in self._at:
            return 1.0
        return _surely(row[self._at[asked]] - row[self._at[other]] + SIDE_ROOM)


SIDE_ROOM = 1.0  # logits by which the other side may look likelier before the score falls under 0.5
_OTHER = {"left": "right", "right": "left"}


def _surely(margin: float) -> float:
    return float(1 / (1 + np.exp(-margin)))


def _film(candidate: Candidate) -> np.ndarray:
    if candidate.image is None:
        raise ValueError(f"{candidate.sample_id} has no image: the agreement gate comes after the image stage")
    return np.nan_to_num(candidate.image)
