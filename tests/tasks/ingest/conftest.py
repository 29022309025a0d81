"""A small archive in NIH's layout, with films that differ and one that is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tasks.corpora.archives.conftest import Tree

NIH_HEAD = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)
BOXES = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000000.png,Mass,512,256,128,64,,,\n"
BROKEN = 5


def film(number: int) -> np.ndarray:
    """A film (48, 64) uint8 like no other."""
    grey = np.random.default_rng(number).integers(0, 255, (6, 8), np.uint8)
    return np.asarray(np.kron(grey, np.ones((8, 8), np.uint8)), np.uint8)


def write_nih(root: Path, films: int = 12) -> Path:
    """`films` films of half as many patients; number `BROKEN` is cut off."""
    tree, rows = Tree(root), []
    for at in range(films):
        label = ("Mass|Edema", "No Finding", "Hernia")[at % 3]
        rows.append(f"{at:08d}.png,{label},{at % 2},{at // 2},{50 + at},{'FM'[at % 2]},PA,9,9,0.1,0.1")
        tree.image(f"images/{at:08d}.png", film(at))
    tree.text("Data_Entry_2017.csv", NIH_HEAD + "\n".join(rows) + "\n")
    tree.text("BBox_List_2017.csv", BOXES)
    if films > BROKEN:
        path = root / f"images/{BROKEN:08d}.png"
        path.write_bytes(path.read_bytes()[:60])
    return root


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    """An archive of twelve films of six patients, one of them broken."""
    return write_nih(tmp_path / "nih")
