"""What rows say of their films, in words that are the same for every archive."""

from __future__ import annotations

from typing import Any

import pytest

from storage.records import PairRow
from tasks.evaluate.film_facts import ATTRIBUTES, FilmFacts, age_band, facts_of


def row(**given: Any) -> PairRow:
    plain: dict[str, Any] = {
        "sample_id": "a", "index": 0, "findings": "", "impression": "", "entities": [], "mentions": [], "labels": {},
        "report_seed": 0, "report_attempts": 1, "report_tokens": 0, "image_seed": 0, "image_attempts": 1,
        "png_sha256": "", "gates": [],
    }  # fmt: skip
    return PairRow.model_validate(plain | given)


@pytest.mark.parametrize(
    ("years", "band"),
    [(0.5, "<20"), (19.99, "<20"), (20, "20-40"), (39, "20-40"), (40, "40-60"), (79.9, "60-80"), (80, ">=80")],
)
def test_an_age_has_one_band_with_its_lower_end(years: float, band: str) -> None:
    assert age_band(years) == band


def test_facts_are_those_of_the_row() -> None:
    given = row(sex="F", age=61.5, view="ap", provenance={"archive": "nih"})
    assert facts_of(given) == FilmFacts("F", 61.5, "AP", "nih")
    assert [facts_of(given).group(name) for name in ATTRIBUTES] == ["F", "60-80", "AP", "nih"]


def test_nothing_known_is_none() -> None:
    assert facts_of(row()) == FilmFacts()
    assert [FilmFacts().group(name) for name in ATTRIBUTES] == [None] * 4


@pytest.mark.parametrize("view", ["L", "LL", "Lateral", " lateral "])
def test_lateral_films_are_one_view_however_they_are_spelt(view: str) -> None:
    assert facts_of(row(view=view)).view == "LATERAL"


def test_the_site_is_the_source_where_an_archive_of_many_names_it_as_labeller() -> None:
    assert facts_of(row(labeller="ricord", provenance={"archive": "covidx"})).site == "ricord"
    assert facts_of(row(provenance={"archive": "covidx"})).site == "covidx"
    assert facts_of(row(labeller="radiologists", provenance={"archive": "nih"})).site == "nih"


def test_generated_pairs_have_the_facts_that_were_dealt() -> None:
    dealt = row(axes={"age": "62", "age_band": "60-69", "sex": "female", "view": "PA"})
    assert facts_of(dealt) == FilmFacts("F", 62, "PA", None)
