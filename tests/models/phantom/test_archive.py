"""An archive is a function of hospital, seed and index, however it is read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.phantom.archive import films, render_many
from models.phantom.hospital import HOSPITAL_A, HOSPITAL_B
from models.phantom.sheet import contact_sheet

RENDER = """
import os
from models.phantom.archive import render_many
from models.phantom.hospital import HOSPITAL_A
if __name__ == "__main__":
    print(render_many(HOSPITAL_A, 1, range(3), size=32, workers=2)[0].shape, "PYTHONSAFEPATH" in os.environ)
"""


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


def test_processes_that_render_import_nothing_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "socket.py").write_text("raise ImportError('of the current folder')")
    script = tmp_path / "render.py"
    script.write_text(RENDER)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path / "here", env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "(3, 32, 32) False\n"), done.stderr
