"""VinDr-CXR, as PhysioNet and as Kaggle publish it, to versions whose boxes lie on the stored films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.flows.conftest import SmallFactory
from tests.flows.ingested import ingest, trained_and_tested
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.corpora.archives.made import dicom

WIDE = "Aortic enlargement,Cardiomegaly,Nodule/Mass,Pleural effusion,Other diseases,No finding"
TALL = "x_min,y_min,x_max,y_max"
KAGGLE = f"image_id,class_name,class_id,rad_id,{TALL}\n"

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def film(tree: Tree, name: str, right: int = 60, **tags: object) -> None:
    """200 x 100 pixels, bright from 40 to 100 down and 20 to `right` across, stored as MONOCHROME1 of 12 bits."""
    values = np.full((200, 100), 3900, np.uint16)
    values[40:100, 20:right] = 150
    path = tree.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    dicom(path, values, 12, PhotometricInterpretation="MONOCHROME1", **{**window, **tags})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PhysioNet's: two films that three readers read, one that is missing, and a consensus of two."""
    tree = Tree(tmp_path_factory.mktemp("vindr"))
    tree.text("annotations/image_labels_train.csv", f"image_id,rad_id,{WIDE}\n"
              "a,R1,0,0,0,0,0,1\na,R2,0,1,0,0,0,0\na,R3,0,1,0,0,0,0\n"
              "b,R4,0,0,0,0,0,1\nb,R5,0,0,0,0,0,1\nb,R6,0,0,0,0,0,1\ngone,R1,0,0,0,0,1,0\n")  # fmt: skip
    tree.text("annotations/annotations_train.csv", f"image_id,rad_id,class_name,{TALL}\n"
              "a,R1,No finding,,,,\na,R2,Cardiomegaly,20,40,60,100\na,R3,Cardiomegaly,22.5,41,61,99\n"
              "b,R4,No finding,,,,\nb,R5,No finding,,,,\nb,R6,No finding,,,,\n")  # fmt: skip
    tree.text("annotations/image_labels_test.csv", f"image_id,{WIDE}\nc,1,0,0,0,0,0\nd,0,1,1,1,1,0\ne,0,0,0,0,0,1\n")
    tree.text("annotations/annotations_test.csv", f"image_id,class_name,{TALL}\n"
              "c,Aortic enlargement,20,40,60,100\nd,Cardiomegaly,1,1,2,2\ne,No finding,,,,\n")  # fmt: skip
    film(tree, "train/a.dicom", PatientSex="F", PatientAge="061Y")
    for at, name in enumerate(("train/b.dicom", "test/c.dicom", "test/d.dicom", "test/e.dicom")):
        film(tree, name, right=70 + 5 * at)
    return tree.root


def test_readers_boxes_and_headers_stand_in_the_rows(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root), "--split", "train", "--text", "labels")
    assert list(done.rows) == ["a", "b"]
    seen, clear = done.rows.values()
    nothing = dict.fromkeys(WIDE.split(","), 0)
    assert seen.labels == {**nothing, "Cardiomegaly": 1}, "one reader of three is enough"
    assert clear.labels == {**nothing, "No finding": 1}
    first, second = seen.boxes
    assert (first.x, first.y, first.width, first.height) == pytest.approx((16 + 6.4, 12.8, 12.8, 19.2))
    assert done.shows("a", first), "the box lies on what is bright, in the middle of the square, and turned to white"
    assert second.x == pytest.approx(16 + 7.2)
    assert (seen.sex, seen.age, seen.split, seen.view) == ("F", 61, "train", None)
    assert (seen.text_from, seen.impression, clear.impression) == (
        "labels", "Cardiomegaly.", "No acute cardiopulmonary abnormality.",
    )  # fmt: skip
    assert [(reject.gate, reject.reason) for reject in done.rejects] == [
        ("readable", "gone.dicom: the file is missing")
    ]
    assert done.manifest.label_set == "vindr"
    assert done.manifest.credentialed
    assert "Credentialed Health Data" in done.card
    assert "| with boxes | 1 |" in done.card


def test_kaggles_table_gives_the_same_boxes(factory: SmallFactory, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "kaggle")
    tree.text(
        "train.csv", f"{KAGGLE}a,No finding,14,R1,,,,\na,Cardiomegaly,3,R2,20,40,60,100\nb,No finding,14,R1,,,,\n"
    )
    for at, name in enumerate(("train/a.dicom", "train/b.dicom", "test/hidden.dicom")):
        film(tree, name, right=60 + 5 * at)
    done = ingest(factory, f"vindr:{tree.root}")
    assert done.labels == {
        "a": {"Cardiomegaly": 1, "No finding": 0}, "b": {"Cardiomegaly": 0, "No finding": 1}, "hidden": {},
    }  # fmt: skip
    (box,) = done.rows["a"].boxes
    assert done.shows("a", box)
    assert [row.split for row in done.rows.values()] == ["train", "train", "test"]


def test_it_is_trained_on_and_tested_on(factory: SmallFactory, root: Path) -> None:
    real = ingest(factory, f"vindr:{root}", "--split", "train", "--text", "labels", name="real")
    test = ingest(factory, f"vindr:{root}", "--split", "test", name="test")
    assert test.labels["d"]["Nodule/Mass"] == 1
    assert "real" in trained_and_tested(factory, real, test)
