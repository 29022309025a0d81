"""The suite of planted defects: it skips what is not there, counts honestly, and writes what it found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from models import registry
from models.build.planted_defects import PLANTED
from models.phantom.case import Case
from models.phantom.film import draw_film


@pytest.fixture(scope="module")
def suite(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("defects")


@pytest.fixture(scope="module")
def films() -> list[np.ndarray]:
    return [draw_film(Case("a", 818, index, ()), 64)[0] for index in range(104)]


def test_real_films_that_are_not_there_are_skipped_with_the_reason(
    suite: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite.real_domain(tmp_path) is None
    assert f"skipped, there are no PNG files under {tmp_path}" in capsys.readouterr().out


def test_no_patient_stands_on_both_sides(suite: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "images_320"
    folder.mkdir()
    for patient in range(10):
        for visit in range(3):
            cv2.imwrite(str(folder / f"{patient:08d}_{visit:03d}.png"), np.full((8, 8), 20 * patient, np.uint8))
    (first, second), (third, fourth) = suite.real_domain(tmp_path).folds
    patients = [{int(film[0, 0]) for film in side} for side in (first, second)]
    assert patients[0].isdisjoint(patients[1])
    assert len(first) == len(second) == 15
    assert (third, fourth) == (second, first)


def test_what_a_judge_finds_is_counted_written_and_drawn(
    suite: ModuleType, films: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("finite", "noise")
    monkeypatch.setattr(suite, "MEMBERS", names)
    monkeypatch.setattr(suite, "JUDGES", (*names, "ensemble"))
    gates = [registry.build(registry.GATES, name, {}) for name in names]
    found = suite.measure(suite.Domain("phantom", ((films[:100], films[100:]),)), gates, 2)
    assert found.hits.shape == (2, 20, 3, 3)
    nan, noise = PLANTED.index("nan"), PLANTED.index("noise")
    assert found.hits[1, nan, -1].tolist() == [1, 1, 1]
    assert found.hits[1, noise, -1].tolist() == [0, 1, 1]
    assert (found.hits[0] <= found.hits[1]).all()
    text = suite.written(found, 2)
    assert "missed" in text  # two judges cannot find twenty kinds
    assert all(kind in text for kind in PLANTED)
    suite.draw([found], tmp_path / "figure.png")
    assert cv2.imread(str(tmp_path / "figure.png")) is not None
