"""Side, zone and severity: drawn per sample after its entities, then settled so that the film can show them.

1. An anatomy mention with a place gives it to the first zoned finding that can lie there; an anatomy that
   no finding takes stands for itself.
2. Two focal lesions do not lie in one place.
3. A large effusion or a pneumothorax that would hide a lesion goes to the other side, or becomes small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.contracts import Entity, EntityType, Mention
from tasks.plan.deck.deck import hashes, key_of
from tasks.plan.rules.constraints import negated

FOCAL = frozenset({"consolidation", "atelectasis", "lung nodule", "lung mass"})
HIDDEN = FOCAL | {"hemidiaphragm elevation"}
HIDING = frozenset({("pleural effusion", "large"), ("pneumothorax", "moderate"), ("pneumothorax", "large")})
SIDE, ZONE, SEVERITY = 0, 1, 2


class Choice:
    """One attribute over a bank: which values each entity can take. Value -1 is none."""

    def __init__(self, options: Sequence[tuple[str, ...]]) -> None:
        different = {option: number for number, option in enumerate(dict.fromkeys(options))}
        which = np.array([different[option] for option in options], dtype=np.intp)
        place = {name: at for at, name in enumerate(dict.fromkeys(name for option in different for name in option))}
        self.names = tuple(place)
        count = np.array([len(option) for option in different], dtype=np.intp)
        table = np.full((len(different), max(1, int(count.max(initial=0)))), -1, dtype=np.int16)
        # The last column answers for -1.
        allows = np.zeros((len(different), len(self.names) + 1), dtype=bool)
        for option, number in different.items():
            at = [place[name] for name in option]
            table[number, : len(option)], allows[number, at] = at, True
        self.count, self._table, self.allows = count[which], table[which], allows[which]

    def draw(self, drawn: np.ndarray, entities: np.ndarray) -> np.ndarray:
        """A uniform value for each entity from its hash, -1 where it has none."""
        return self._table[entities, drawn % np.maximum(self.count[entities], 1).astype(np.uint64)]

    def name(self, value: int) -> str | None:
        """The text of a value."""
        return self.names[value] if value >= 0 else None


class Attributes:
    """Draws the attributes of a bank's entities.

    Args:
        entities: the bank; an absent finding takes no attribute.
        fingerprint: the source of all randomness.
    """

    def __init__(self, entities: Sequence[Entity], fingerprint: str) -> None:
        self.entities = tuple(entities)
        self.key = key_of(fingerprint, "attributes")
        self.choices = tuple(Choice([options(e) if e.present else () for e in entities]) for options in _OPTIONS)
        side, zone, _ = self.choices
        self._anatomy = self._flags(lambda entity: entity.type is EntityType.ANATOMY)
        self._focal = self._flags(lambda entity: entity.label in FOCAL) & (side.count > 0) & (zone.count > 0)
        self._hidden = self._flags(lambda entity: entity.label in HIDDEN)
        self._hiding = np.zeros((len(entities), len(self.choices[SEVERITY].names) + 1), dtype=bool)
        hiding = {label for label, _ in HIDING}
        for number, entity in enumerate(entities):
            if entity.label not in hiding:
                continue
            values = [(entity.label, name) in HIDING for name in self.choices[SEVERITY].names]
            self._hiding[number, : len(values)] = values

    def draw(self, indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Attributes of whole samples.

        Args:
            indices: (n,) sample indices.
            rows: (n, columns) entity numbers.

        Returns:
            (3, n, columns) int16 values of side, zone and severity, -1 for none.
        """
        slots = np.arange(rows.shape[1])[None, :]
        values = np.stack(
            [
                choice.draw(hashes(self.key, indices[:, None], slots, kind), rows)
                for kind, choice in enumerate(self.choices)
            ]
        )
        supplied = self._supply(values, rows)
        self._spread(values, rows, supplied)
        self._uncover(values, rows)
        return values

    def mention(self, number: int, side: int, zone: int, severity: int) -> Mention:
        """One entity with its attributes, as the report must state it."""
        entity = self.entities[number]
        named = [choice.name(value) for choice, value in zip(self.choices, (side, zone, severity), strict=True)]
        return Mention(
            entity=entity.id,
            type=entity.type,
            phrase=phrase_of(entity, *named),
            label=entity.label,
            present=entity.present,
            side=named[SIDE],
            zone=named[ZONE],
            severity=named[SEVERITY],
        )

    def _flags(self, test: Callable[[Entity], bool]) -> np.ndarray:
        return np.array([entity.present and test(entity) for entity in self.entities], dtype=bool)

    def _supply(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Rule 1; (n, columns) which findings got their place from an anatomy."""
        side, zone, _ = self.choices
        supplied = np.zeros(rows.shape, dtype=bool)
        columns = range(rows.shape[1])
        for anatomy in columns:
            place = values[SIDE, :, anatomy], values[ZONE, :, anatomy]
            free = self._anatomy[rows[:, anatomy]] & (place[SIDE] >= 0) & (place[ZONE] >= 0)
            for finding in columns:
                entity = rows[:, finding]
                fits = free & ~self._anatomy[entity] & ~supplied[:, finding]
                fits &= side.allows[entity, place[SIDE]] & zone.allows[entity, place[ZONE]]
                values[SIDE, fits, finding], values[ZONE, fits, finding] = place[SIDE][fits], place[ZONE][fits]
                supplied[:, finding] |= fits
                free &= ~fits
        return supplied

    def _spread(self, values: np.ndarray, rows: np.ndarray, supplied: np.ndarray) -> None:
        """Rule 2."""
        side, zone, _ = self.choices
        focal = self._focal[rows]
        zones = len(zone.names)
        places = len(side.names) * zones
        taken = np.zeros((len(rows), places), dtype=bool)
        every = np.arange(len(rows))
        for fixed in (True, False):
            for column in range(rows.shape[1]):
                entity, mine = rows[:, column], focal[:, column] & (supplied[:, column] == fixed)
                if not mine.any():
                    continue
                place = np.where(mine, values[SIDE, :, column].astype(np.int64) * zones + values[ZONE, :, column], 0)
                allowed = (side.allows[entity, :-1, None] & zone.allows[entity, None, :-1]).reshape(-1, places)
                turned = (place[:, None] + np.arange(places)) % places
                free = (allowed & ~taken)[every[:, None], turned]
                moving = mine & ~free[:, 0] & free.any(axis=1) & (not fixed)
                place = np.where(moving, turned[every, free.argmax(axis=1)], place)
                values[SIDE, mine, column], values[ZONE, mine, column] = place[mine] // zones, place[mine] % zones
                taken[every[mine], place[mine]] = True

    def _uncover(self, values: np.ndarray, rows: np.ndarray) -> None:
        """Rule 3."""
        side, _, severity = self.choices
        hidden = self._hidden[rows]
        lesions = np.zeros((len(rows), len(side.names) + 1), dtype=bool)
        for column in range(rows.shape[1]):
            lesions[np.flatnonzero(hidden[:, column]), values[SIDE, hidden[:, column], column]] = True
        lesions[:, -1] = False
        for column in range(rows.shape[1]):
            entity = rows[:, column]
            hiding = self._hiding[entity, values[SEVERITY, :, column]]
            clash = np.flatnonzero(hiding & lesions[np.arange(len(rows)), values[SIDE, :, column]])
            if not len(clash):
                continue
            free = side.allows[entity[clash], :-1] & ~lesions[clash, :-1]
            moves = free.any(axis=1)
            values[SIDE, clash[moves], column] = free[moves].argmax(axis=1)
            if "small" in severity.names:
                small = severity.names.index("small")
                stays = clash[~moves & severity.allows[entity[clash], small]]
                values[SEVERITY, stays, column] = small


_OPTIONS: tuple[Callable[[Entity], tuple[str, ...]], ...] = (
    lambda entity: entity.sides,
    lambda entity: entity.zones,
    lambda entity: entity.severities,
)


def phrase_of(entity: Entity, side: str | None, zone: str | None, severity: str | None) -> str:
    """The text that must stand in the report: ``dense right upper zone consolidation``, ``no pneumothorax``.

    The order of words is that of `models.findings.finding.phrase`; a word that the term already has is not
    said twice.
    """
    if not entity.present:
        return entity.term if negated(entity.term) else f"no {entity.label or entity.term}"
    said = f" {entity.term} "
    words = (severity, side, zone, entity.term)
    return " ".join(word for word in words if word and (word == entity.term or f" {word} " not in said))
