"""The archive with repeated films: groups differ by lot alone, and what is held out is never trained on."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def repeated(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("repeated")


def test_words_shared_with_the_nearest_other_report_are_counted_whatever_their_case(repeated: ModuleType) -> None:
    found = repeated.likeness(["Left pacemaker.", "left pacemaker", "Left effusion.", "Hiatal hernia.", ""])
    assert np.allclose(found, [1, 1, 1 / 3, 0, 0])


def test_groups_share_no_film_and_only_held_out_ones_are_never_trained_on(repeated: ModuleType) -> None:
    films = repeated.sound_films(40)
    assert all(film.defect is None for film in films)
    archive = repeated.make_archive(films, [1, 8], each=3)
    dealt = np.concatenate(list(archive.groups.values()))
    assert len(set(dealt.tolist())) == len(dealt) == 6 + 3 + 3 + 6
    assert sorted(np.flatnonzero(archive.often == 0)) == sorted(archive.groups[repeated.HELD_OUT])
    assert (archive.often[archive.groups["canary x 8"]] == 8).all()
    assert archive.often.sum() == 40 - 6 + 3 * 7
    rare = np.setdiff1d(dealt, archive.groups[repeated.ORDINARY])
    assert repeated.likeness(archive.texts)[rare].max() == archive.alike
