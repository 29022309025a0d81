"""Made archives stand for real ones in number of rows; ingesting more of their films takes no more memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tasks.corpora.archives.registry import open_archive

FEW, MANY = 400, 4000
MOST_GROWTH = 32
"""MiB: kept pixels would take 56, and what the tables say of the films takes 2."""
INGEST = """
import sys
from pathlib import Path
from storage.local import LocalStore
from tasks.ingest.ingest import ingest
from tasks.recipe.sources import SourceSection
section = SourceSection(source=f"auto:{sys.argv[1]}", size=128, name="films", text="labels")
print(ingest(LocalStore(sys.argv[2]), section).manifest.accepted)
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.fixture(scope="module")
def made_archives(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("made_archives")


@pytest.mark.parametrize("layout", ["chexpert", "mimic", "padchest"])
def test_one_is_read_as_its_layout(made_archives: ModuleType, tmp_path: Path, layout: str) -> None:
    archive = open_archive(made_archives.write_archive(tmp_path / layout, layout, 30))
    films = list(archive.films())
    assert (archive.layout, len(films), len({film.film for film in films})) == (layout, 30, 30)
    assert all(film.path.is_file() and film.patient and film.study and film.view for film in films)
    assert not +archive.notes
    assert all(film.report for film in films) == (layout != "chexpert")


def test_memory_does_not_grow_with_the_number_of_films(made_archives: ModuleType, tmp_path: Path) -> None:
    peaks: list[float] = []
    for rows in (FEW, MANY):
        archive = made_archives.write_archive(tmp_path / f"chexpert-{rows}", "chexpert", rows)
        command = [sys.executable, "-c", INGEST, str(archive), str(tmp_path / f"store-{rows}")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        accepted, peak = done.stdout.split()
        assert int(accepted) == rows
        peaks.append(float(peak))
    assert peaks[1] - peaks[0] < MOST_GROWTH, f"MiB at {FEW} and {MANY} films: {peaks}"
