"""The classical checks: each finds the defect it is there for and leaves good films alone."""

from __future__ import annotations

import numpy as np
import pytest

from models import registry
from models.build.planted_defects import plant
from models.contracts import Candidate, Gate, ModelNotFound
from models.gates.calibration import score_films
from models.gates.film.classical import Upright, _medians
from models.phantom.case import Case
from models.phantom.film import draw_film

MEANT_FOR = {
    "sharpness": ("blurred",),
    "noise": ("noise",),
    "pattern": ("stripes", "mosaic"),
    "upright": ("rotated", "inverted"),
    "border": ("border",),
    "dead_area": ("clipped", "missing_part", "mosaic"),
    "burned_text": ("burned_text",),
}
NAMES = list(MEANT_FOR)


def gate(name: str) -> Gate:
    return registry.build(registry.GATES, name, {})


def test_every_check_is_a_gate_that_a_profile_can_name() -> None:
    assert set(MEANT_FOR) == set(NAMES)
    for name in NAMES:
        assert isinstance(gate(name), Gate)
        assert gate(name).name == name


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in MEANT_FOR.items() for kind in kinds])
def test_strong_defects_score_under_every_good_film(name: str, kind: str, sound_films: list[np.ndarray]) -> None:
    rng = np.random.default_rng(2)
    good = score_films(gate(name), sound_films)
    bad = score_films(gate(name), [plant(film, kind, "strong", rng) for film in sound_films])
    assert (bad < good.min()).mean() >= 0.85


@pytest.mark.parametrize("name", NAMES)
def test_scores_lie_between_0_and_1_and_say_what_they_saw(name: str, sound_films: list[np.ndarray]) -> None:
    ugly = [np.zeros((128, 128), np.uint8), np.full((64, 96), 255, np.uint8),
            np.random.default_rng(0).integers(0, 256, (33, 47), np.uint8)]  # fmt: skip
    for score in gate(name).score([Candidate("s", (), "", "", film) for film in [*ugly, *sound_films[:2]]]):
        assert 0 <= score.score <= 1
        assert score.reason
        assert score.model
        assert score.seconds > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_value_that_is_no_number_fails(name: str, value: float, sound_films: list[np.ndarray]) -> None:
    film = sound_films[0].astype(np.float32)
    film[5, 5] = value
    (score,) = gate(name).score([Candidate("s", (), "", "", film)])
    assert (score.score, score.reason) == (0, "values are no numbers")


@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_the_film_changes_little(name: str) -> None:
    scores = [score_films(gate(name), [draw_film(Case("a", 5150, 2, ()), size)[0]])[0] for size in (128, 512)]
    assert scores[1] == pytest.approx(scores[0], abs=0.25)


def test_rotation_is_named_in_degrees(sound_films: list[np.ndarray]) -> None:
    (score,) = Upright().score([Candidate("s", (), "", "", np.rot90(sound_films[0], 2))])
    assert score.score < 0.5
    assert "-180" in score.reason or "+17" in score.reason or "-17" in score.reason


def test_a_missing_look_names_the_file(tmp_path, sound_films: list[np.ndarray]) -> None:
    with pytest.raises(ModelNotFound, match=r"film-look\.safetensors is missing"):
        score_films(Upright(tmp_path), sound_films[:1])


def test_a_gate_without_an_image_says_so() -> None:
    with pytest.raises(ValueError, match="s1 has no image"):
        gate("noise").score([Candidate("s1", (), "", "", None)])


@pytest.mark.parametrize("width", [1, 2, 31, 128])
def test_medians_of_rows_are_those_of_numpy_to_the_last_digit(width: int) -> None:
    film = np.random.default_rng(width).normal(0, 9, (40, width)).astype(np.float32)
    for rows in (film, film.T):
        assert (_medians(rows) == np.median(rows, axis=1, keepdims=True)).all()
