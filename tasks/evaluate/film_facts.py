"""What is known of a film beside its labels: sex, age, view and site; films are put into subgroups by these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from storage.records import PairRow

Attribute = Literal["sex", "age", "view", "site"]
ATTRIBUTES: tuple[Attribute, ...] = ("sex", "age", "view", "site")
AGE_BANDS: tuple[tuple[float, str], ...] = ((20, "<20"), (40, "20-40"), (60, "40-60"), (80, "60-80"))
"""Years below which an age is of a band, and its name; those of Seyyed-Kalantari et al., Nat Med 27, 2176 (2021)."""
OLDEST_BAND = ">=80"
_SOURCE_IN_LABELLER = frozenset({"covidx"})
"""Layouts whose rows name the source of a film as who labelled it."""
_LATERAL = frozenset({"L", "LL", "LATERAL", "LAT"})


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What is known of one film; None where nobody says.

    Args:
        sex: ``M`` or ``F``.
        age: in years.
        view: in upper case, such as ``PA`` or ``AP``; ``LATERAL`` however an archive spells it.
        site: the hospital or source where the archive names one, else the archive.
    """

    sex: str | None = None
    age: float | None = None
    view: str | None = None
    site: str | None = None

    def group(self, attribute: Attribute) -> str | None:
        """The name of the subgroup that the film is in; None where it is not known."""
        if attribute == "age":
            return None if self.age is None else age_band(self.age)
        return cast("str | None", getattr(self, attribute))


def age_band(years: float) -> str:
    """The band of an age: ``<20``, ``20-40`` with 20 and without 40, and so on to ``>=80``."""
    return next((name for end, name in AGE_BANDS if years < end), OLDEST_BAND)


def facts_of(row: PairRow) -> FilmFacts:
    """The facts that a row holds; in generated pairs those that were dealt (`PairRow.axes`)."""
    dealt: Mapping[str, str] = row.axes or {}
    sex, view = row.sex or dealt.get("sex"), row.view or dealt.get("view")
    age = row.age if row.age is not None else float(dealt["age"]) if "age" in dealt else None
    return FilmFacts(sex[:1].upper() if sex else None, age, _view(view), _site(row))


def _view(view: str | None) -> str | None:
    spelt = (view or "").strip().upper()
    return "LATERAL" if spelt in _LATERAL else spelt or None


def _site(row: PairRow) -> str | None:
    archive = row.provenance.get("archive")
    if archive in _SOURCE_IN_LABELLER and row.labeller:
        return row.labeller
    return str(archive) if archive else None
