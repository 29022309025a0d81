"""The film gates against good films of both hospitals and every defect that the phantom knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import registry
from models.contracts import Candidate, Gate, ModelNotFound
from models.gates.film import basics as film_judges
from models.gates.film.basics import USUAL, Contrast, FilmLook, Finite, TwoLungs, accepted, fit_film_look
from models.gates.film.view import CachedCandidates, normalised_32px
from models.phantom.archive import render_many
from models.phantom.case import Case
from models.phantom.defects import DEFECTS, apply_defect
from models.phantom.film import draw_film
from models.phantom.hospital import HOSPITAL_A, HOSPITAL_B
from models.phantom.vocabulary import LABELS, Finding

CAUGHT_BY = {
    "blank": "contrast",
    "underexposed": "contrast",
    "overexposed": "contrast",
    "blurred": "contrast",
    "inverted": "polarity",
    "lateral": "two_lungs",
    "rotated": "two_lungs",
    "cropped": "two_lungs",
    "noise": "two_lungs",
}


def candidate(image: np.ndarray | None) -> Candidate:
    return Candidate("s1", (), "", "", image)


def score(gate: Gate, image: np.ndarray) -> float:
    (result,) = gate.score([candidate(image)])
    assert result.gate == gate.name
    return result.score


def gates() -> dict[str, Gate]:
    return {name: registry.build(registry.GATES, name, {}) for name in USUAL}


@pytest.fixture(scope="module")
def good_films() -> list[np.ndarray]:
    """Sound films of hospital A from a seed that nothing was trained on, without findings."""
    return [draw_film(Case("a", 1234, index, ()), 128)[0] for index in range(24)]


@pytest.mark.parametrize("defect", CAUGHT_BY)
def test_each_defect_falls_under_the_gate_that_is_there_for_it(defect: str, good_films: list[np.ndarray]) -> None:
    gate = registry.build(registry.GATES, CAUGHT_BY[defect], {})
    rng = np.random.default_rng(5)
    spoilt = [apply_defect(film, defect, rng) for film in good_films]
    fallen = [score(gate, film) < USUAL[gate.name] for film in spoilt]
    assert np.mean(fallen) >= 0.95


def test_burned_in_text_is_the_one_defect_that_no_classical_gate_claims() -> None:
    assert set(DEFECTS) - set(CAUGHT_BY) == {"burned_text"}


def test_good_films_pass_whatever_the_hospital() -> None:
    for hospital in (HOSPITAL_A, HOSPITAL_B):
        films, _, _ = render_many(hospital, 4321, range(60), workers=1)
        assert accepted(films).mean() >= (0.9 if hospital.defect_rate else 0.98)


@pytest.mark.parametrize("label", LABELS)
def test_no_finding_is_mistaken_for_a_defect(label: str) -> None:
    films = np.stack([draw_film(Case("a", 77, index, (_severe(label),)), 128)[0] for index in range(12)])
    assert accepted(films).mean() >= 0.9


def _severe(label: str) -> Finding:
    from models.phantom.vocabulary import BY_NAME

    kind = BY_NAME[label]
    side, zone, severity = ((options or (None,))[-1] for options in (kind.sides, kind.zones, kind.severities))
    return Finding(label, side, zone, severity)


def test_a_film_with_values_that_are_no_numbers_fails_every_gate() -> None:
    film = np.full((128, 128), np.nan, np.float32)
    assert score(Finite(), film) == 0
    assert score(Finite(), np.zeros((8, 8), np.uint8)) == 1
    for name, gate in gates().items():
        assert score(gate, film) < USUAL[name] or name == "polarity", name


def test_scores_survive_another_size() -> None:
    film = draw_film(Case("a", 1234, 0, ()), 256)[0]
    for name, gate in gates().items():
        assert score(gate, film) >= USUAL[name], name


def test_scores_do_not_depend_on_the_batch(good_films: list[np.ndarray]) -> None:
    for gate in gates().values():
        together = [s.score for s in gate.score([candidate(film) for film in good_films])]
        assert together == pytest.approx([score(gate, film) for film in good_films], abs=1e-5)


def test_a_gate_without_an_image_says_so() -> None:
    with pytest.raises(ValueError, match="s1 has no image"):
        Contrast().score([candidate(None)])


def test_a_missing_look_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"film-look\.safetensors is missing.*make image-generator"):
        TwoLungs(folder=tmp_path).score([candidate(np.zeros((8, 8), np.uint8))])


def test_the_look_is_learnt_despite_bad_films_in_the_archive(good_films: list[np.ndarray]) -> None:
    films, _, _ = render_many(HOSPITAL_A, 7, range(200), workers=1)
    films[::20] = 255 - films[::20]
    look = fit_film_look(films)
    assert isinstance(look, FilmLook)
    good = look.misfit(normalised_32px(good_films))
    bad = look.misfit(normalised_32px([255 - film for film in good_films]))
    assert good.max() < bad.min()


def test_gates_that_score_the_same_candidates_share_what_they_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    whole = film_judges._contrast  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(film_judges, "_contrast", lambda film: measured.append(1) or whole(film))
    films = [Candidate(str(i), (), "", "", np.full((64, 64), 40 * i, np.uint8)) for i in range(3)]
    apart = [Contrast().score(films), Contrast().score(films)]
    assert len(measured) == 6
    seen = CachedCandidates(films)
    assert [Contrast().score(seen), Contrast().score(seen)] == apart
    assert len(measured) == 9
