"""The RSNA pneumonia challenge to a version: one row an image, with its boxes on the stored film."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.records import Box
from tests.flows.conftest import SmallFactory
from tests.flows.ingested import ingest, trained_and_tested
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.corpora.archives.made import JPEG, packed

SIDE = 1024

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def film(tree: Tree, name: str, view: str = "PA", sex: str = "F", right: int = 8) -> None:
    """A JPEG in DICOM, bright from 8 to 10 sixteenths down and 4 to `right` across; the age has no unit."""
    values = np.zeros((SIDE, SIDE), np.uint8)
    unit = SIDE // 16
    values[8 * unit : 10 * unit, 4 * unit : right * unit] = 255
    path = tree.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    packed(path, values, JPEG, PatientID=path.stem, PatientSex=sex, PatientAge="51", ViewPosition=view)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two boxes on one image, so that both tables repeat it; a damaged image; a test image without labels."""
    tree = Tree(tmp_path_factory.mktemp("rsna"))
    tree.text("stage_2_train_labels.csv", "patientId,x,y,width,height,Target\nodd,,,,,0\n"
              "ill,256.0,512.0,256.0,128.0,1\nill,300.0,520.0,64.0,64.0,1\nwell,,,,,0\n"
              "calm,,,,,0\nbroken,,,,,0\n")  # fmt: skip
    tree.text("stage_2_detailed_class_info.csv", "patientId,class\nodd,No Lung Opacity / Not Normal\n"
              "ill,Lung Opacity\nill,Lung Opacity\nwell,Normal\ncalm,Normal\nbroken,Normal\n")  # fmt: skip
    film(tree, "stage_2_train_images/odd.dcm", view="AP", right=9)
    film(tree, "stage_2_train_images/ill.dcm")
    film(tree, "stage_2_train_images/well.dcm", sex="M", right=10)
    film(tree, "stage_2_train_images/calm.dcm", sex="M", right=12)
    film(tree, "stage_2_train_images/broken.dcm")
    film(tree, "stage_2_test_images/hidden.dcm", right=11)
    path = tree.root / "stage_2_train_images/broken.dcm"
    path.write_bytes(path.read_bytes()[:700])
    return tree.root


def test_an_image_with_two_boxes_is_one_row(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root), "--text", "labels")
    assert list(done.rows) == ["odd", "ill", "well", "calm", "hidden"]
    odd, ill, well, _, hidden = done.rows.values()
    assert [row.labels for row in (odd, ill, well, hidden)] == [
        {"Lung Opacity": 0, "No Finding": 0}, {"Lung Opacity": 1, "No Finding": 0},
        {"Lung Opacity": 0, "No Finding": 1}, {},
    ]  # fmt: skip
    assert ill.boxes[0] == Box(finding="Lung Opacity", x=16, y=32, width=16, height=8)
    assert done.shows("ill", ill.boxes[0])
    assert len(ill.boxes) == 2
    assert (ill.patient, ill.view, ill.sex, ill.age) == ("ill", "PA", "F", 51), "from the header, an age without unit"
    assert (ill.split, hidden.split, hidden.text_from) == ("train", "test", "none")
    (broken,) = done.rejects
    assert broken.reason.startswith("stage_2_train_images/broken.dcm: ")
    assert done.manifest.licence == "LicenseRef-RSNA-Pneumonia-2018"
    assert "| with boxes | 1 |" in done.card


def test_what_only_the_header_says_chooses_films_too(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, f"rsna:{root}", "--where", "view=PA", "--where", "sex=F", "--split", "train")
    assert list(done.rows) == ["ill"]
    assert sorted(reject.gate for reject in done.rejects) == ["readable", "where", "where", "where"]


def test_it_is_trained_on_and_tested_on(factory: SmallFactory, root: Path) -> None:
    keep = root.parent / "keep.csv"
    keep.write_text("film\nwell\ncalm\nhidden\n")
    real = ingest(factory, f"rsna:{root}", "--keep", str(keep), "--text", "labels", name="real")
    keep.write_text("film\nodd\nill\n")
    test = ingest(factory, f"rsna:{root}", "--keep", str(keep), name="test")
    assert list(test.rows) == ["odd", "ill"]
    assert "real" in trained_and_tested(factory, real, test)
