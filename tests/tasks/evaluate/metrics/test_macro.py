"""A macro mean is over the findings that can be scored; it never takes in NaN."""

import numpy as np

from tasks.evaluate.metrics.macro import macro_mean, with_both_classes


def test_findings_without_both_classes_among_the_known_films_are_left_out() -> None:
    values = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 1]])
    known = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]], bool)
    assert with_both_classes(values, known) == (0,)
    assert with_both_classes(values, np.ones_like(known)) == (0, 3)


def test_a_resample_is_averaged_over_the_findings_that_it_has() -> None:
    nan = np.nan
    found = macro_mean(np.array([[0.5, nan, nan], [0.7, 0.9, nan]]))
    assert np.allclose(found[:2], [0.6, 0.9])
    assert np.isnan(found[2])
