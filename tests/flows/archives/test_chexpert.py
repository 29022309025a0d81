"""CheXpert from its tables to a version that is trained on and tested on, by the commands."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.phantom.archive import films
from models.phantom.hospital import HOSPITALS
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS
from tests.flows.conftest import SmallFactory
from tests.flows.ingested import ingest, trained_and_tested
from tests.tasks.corpora.archives.conftest import Tree

HEAD = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(OBSERVATIONS)}\n"
FIRST = "train/patient00001/study1/view1_frontal.jpg"
LATERAL = "train/patient00001/study1/view2_lateral.jpg"
BLANK = "train/patient00002/study1/view1_frontal.jpg"
LYING = "train/patient00003/study2/view1_frontal.jpg"
GONE, BROKEN = "train/patient00004/study1/view1_frontal.jpg", "train/patient00005/study1/view1_frontal.jpg"
VALID = "valid/patient64541/study1/view1_frontal.jpg"
TESTED = [f"test/patient{number}/study1/view1_frontal.jpg" for number in range(64741, 64747)]

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def cells(**marks: str) -> str:
    """Fourteen cells, blank but for those given by name, with ``_`` for a blank."""
    return ",".join(marks.get(name.replace(" ", "_"), "") for name in OBSERVATIONS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training rows with each mark and each gap, validation, and a test set labelled by study."""
    tree = Tree(tmp_path_factory.mktemp("CheXpert-v1.0-small"))
    release = "CheXpert-v1.0-small/"
    tree.text("train.csv", HEAD + "".join(f"{release}{row}\n" for row in (
        f"{FIRST},Female,68,Frontal,AP,{cells(Cardiomegaly='1.0', Edema='-1.0', Pneumothorax='0.0')}",
        f"{LATERAL},Female,68,Lateral,,{cells(Cardiomegaly='1.0', Edema='-1.0', Pneumothorax='0.0')}",
        f"{BLANK},Unknown,0,Frontal,PA,{cells()}",
        f"{LYING},Male,90,Frontal,LL,{cells(No_Finding='1.0', Support_Devices='1.0')}",
        f"{GONE},Male,40,Frontal,AP,{cells(Fracture='1.0')}",
        f"{BROKEN},Male,41,Frontal,AP,{cells(Fracture='1.0')}",
    )))  # fmt: skip
    tree.text("valid.csv", f"{HEAD}{release}{VALID},Male,30,Frontal,PA,{','.join(['0.0'] * 13)},1.0\n")
    studies = [f"CheXpert-v1.0/{Path(film).parent},{','.join(str(at % 2) for _ in OBSERVATIONS)}\n"
               for at, film in enumerate(TESTED)]  # fmt: skip
    tree.text("groundtruth.csv", f"Study,{','.join(OBSERVATIONS)}\n" + "".join(studies))
    there = [FIRST, LATERAL, BLANK, LYING, BROKEN, VALID, *TESTED]
    for name, film in zip(there, films(HOSPITALS["a"], 1, range(len(there)), 96), strict=True):
        tree.image(name, film.image[:, :80])
    (tree.root / BROKEN).write_bytes((tree.root / BROKEN).read_bytes()[:300])
    return tree.root


def test_every_fact_of_the_training_table_stands_in_the_rows(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root), "--split", "train", "--text", "labels")
    assert list(done.rows) == [FIRST, LATERAL, BLANK, LYING]
    first, lateral, blank, lying = done.rows.values()
    assert first.labels == {"Cardiomegaly": 1, "Edema": -1, "Pneumothorax": 0}, "a blank is no label"
    assert (first.patient, first.study, first.view) == ("patient00001", "patient00001/study1", "AP")
    assert (first.sex, first.age, first.split, first.labeller) == ("F", 68, "train", None)
    assert (lateral.view, lateral.labels) == ("LATERAL", first.labels)
    assert (blank.sex, blank.age, blank.view, blank.labels) == (None, None, "PA", {})
    assert (lying.view, lying.age) == ("LL", 90)
    assert (first.text_from, first.impression) == ("labels", "Cardiomegaly. Possible pulmonary edema.")
    assert first.findings == "There is cardiomegaly. Possible pulmonary edema. No pneumothorax."
    assert lying.findings == "There is support device.", "which device it is no label says"
    assert (blank.text_from, blank.findings, blank.impression) == ("none", "", "")
    assert (first.boxes, first.masks) == ([], [])
    film = done.films[FIRST]
    assert not film[:, :4].any()
    assert not film[:, -4:].any()
    assert film[:, 8:-8].any(), "80 of 96 pixels across, in the middle of the square"
    missing, broken = done.rejects
    assert missing.reason == f"{GONE}: the file is missing"
    assert broken.reason.startswith(f"{BROKEN}: damaged")


def test_terms_and_marks_are_counted_in_manifest_and_card(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, f"chexpert:{root}", "--split", "train", "--text", "labels")
    manifest = done.manifest
    assert (manifest.licence, manifest.label_set) == ("LicenseRef-Stanford-CheXpert", "chexpert-14")
    assert manifest.credentialed
    assert manifest.statistics["labels"]["Edema"] == [0, 0, 2]
    assert manifest.statistics["left_out"] == {"of another split": 1 + len(TESTED)}
    for fact in (manifest.licence, "Research Use Agreement", "| Edema | 0 | 0 | 2 | 2 |", "| view LATERAL | 1 |",
                 "| labels | 3 |", "| none | 1 |", "view1\\_frontal.jpg: the file is missing"):  # fmt: skip
        assert fact in done.card


def test_a_study_of_the_test_set_is_each_of_its_films(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, f"chexpert:{root}", "--split", "test")
    assert list(done.rows) == TESTED
    assert {(row.split, row.text_from) for row in done.rows.values()} == {("test", "none")}
    assert [set(row.labels.values()) for row in done.rows.values()] == [{0}, {1}] * 3
    assert list(ingest(factory, f"chexpert:{root}", "--split", "valid", name="valid").rows) == [VALID]


def test_views_and_a_cleaned_index_choose_films(factory: SmallFactory, root: Path, tmp_path: Path) -> None:
    frontal = ingest(factory, f"chexpert:{root}", "--where", "view=PA,AP", "--split", "train")
    assert list(frontal.rows) == [FIRST, BLANK]
    index = tmp_path / "index.parquet"
    pq.write_table(pa.table({"film": [FIRST, LATERAL, VALID], "kept": [True, False, True]}), index)
    assert list(ingest(factory, f"chexpert:{root}", "--keep", str(index)).rows) == [FIRST, VALID]


def test_it_is_trained_on_and_tested_on(factory: SmallFactory, root: Path) -> None:
    real = ingest(factory, f"chexpert:{root}", "--split", "train", "--text", "labels", name="real")
    test = ingest(factory, f"chexpert:{root}", "--split", "test", name="test")
    output = trained_and_tested(factory, real, test)
    assert "real" in output
