"""An archive is a function of hospital, seed and index, however it is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.phantom.archive import films, render_many
from models.phantom.hospital import HOSPITAL_A, HOSPITAL_B
from models.phantom.sheet import contact_sheet


def test_films_come_in_the_order_asked_for():
    forward, backward = (list(films(HOSPITAL_A, 3, order)) for order in ((1, 4, 2), (2, 4, 1)))
    assert all(np.array_equal(f.image, b.image) for f, b in zip(forward, reversed(backward), strict=True))


def test_workers_render_what_one_process_renders():
    indices = range(131)  # more than one chunk
    images, labels, impressions = render_many(HOSPITAL_B, 2, indices, size=64, workers=2)
    some = list(films(HOSPITAL_B, 2, [0, 127, 128, 130], size=64))
    assert images.shape == (131, 64, 64)
    for index, film in zip([0, 127, 128, 130], some, strict=True):
        assert np.array_equal(images[index], film.image)
        assert np.array_equal(labels[index], film.labels)
        assert impressions[index] == film.impression_text


def test_many_films_follow_a_changed_hospital():
    changed = replace(HOSPITAL_A, prevalence=dict.fromkeys(HOSPITAL_A.prevalence, 0.0))
    _, labels, _ = render_many(changed, 3, range(12), size=64, workers=1)
    assert not labels.any()


def test_a_contact_sheet_holds_every_film():
    done = list(films(HOSPITAL_A, 3, range(5), size=64))
    sheet = contact_sheet([film.image for film in done], ["a caption"] * 5, columns=3, scale=1.0)
    assert sheet.width > 3 * 64
    assert sheet.height > 2 * 64
