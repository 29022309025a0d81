"""PadChest to a version: films of 16 bits, lists of labels, Spanish reports that are no text to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.flows.conftest import SmallFactory
from tests.flows.ingested import BRIGHT, ingest, trained_and_tested
from tests.tasks.corpora.archives.conftest import Tree

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
HEAD = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,ReportID,Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,"
    "labelCUIS,LocalizationsCUIS\n"
)

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def row(name: str, labels: str, projection: str = "PA", method: str = "Physician", person: str = "p1,1930.0,F") -> str:
    """A row of the table; `person` is patient, year of birth and sex."""
    return (
        f"0,{name},0,20140915,s-{name[0]},{person},POSTEROANTERIOR,{projection},Manual review of DICOM fields,No,1,"
        f'sin hallazg patolog .,{method},"{labels}","[\'loc right\']","[]","[]","[]"\n'
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of 16 bits in numbered folders, and rows with each of the table's oddities."""
    tree = Tree(tmp_path_factory.mktemp("padchest"))
    tree.text(TABLE, HEAD + "".join((
        row("a.png", "['pleural effusion ', 'cardiomegaly', 'unchanged']"),
        row("b.png", "['normal']", "L", person="p2,1950.0,O"),
        row("c.png", "nan", "AP_horizontal", "RNN_model", person="p3,nan,nan"),
        row("d.png", "['exclude', 'suboptimal study']", "EXCLUDE", person="p4,1940.0,M"),
        row("gone.png", "['pneumonia']", person="p5,1940.0,M"),
        row("e.png", "['pleural effusion']", "AP", person="p6,1940.0,M"),
        row("f.png", "['normal']", person="p7,1940.0,M"),
    )))  # fmt: skip
    for at, name in enumerate("abcdef"):
        values = np.full((40, 60), 300, np.uint16)
        values[at:, 30:] = 40_000
        tree.image(f"{at % 3}/{name}.png", values)
    return tree.root


def test_labels_people_and_places_stand_in_the_rows(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root), "--text", "labels")
    assert [*done.rows] == [f"{name}.png" for name in "abcdef"]
    first, side, network, excluded, *_ = done.rows.values()
    assert first.labels == {"pleural effusion": 1, "cardiomegaly": 1, "unchanged": 1}
    assert (first.patient, first.study, first.view, first.sex, first.age) == ("p1", "s-a", "PA", "F", 84)
    assert (side.view, side.sex, side.labels) == ("L", None, {"normal": 1})
    assert (network.labels, network.labeller, network.age, network.view) == ({}, "RNN_model", None, "AP_horizontal")
    assert (first.labeller, first.split) == ("Physician", None)
    assert (first.text_from, first.impression) == ("labels", "Pleural effusion. Cardiomegaly.")
    assert side.impression == "No acute cardiopulmonary abnormality."
    assert (excluded.text_from, network.text_from) == ("none", "none"), "remarks on a film are no findings"
    assert excluded.entities == []
    film = done.films["a.png"]
    assert film[14:50, 34:].min() > BRIGHT, "16 bits take their span"
    assert film[14:50, :30].max() == 0
    assert [reject.reason for reject in done.rejects] == ["gone.png: the file is missing"]
    assert "rows whose labels cannot be read: 1" in done.output
    assert done.manifest.label_set == "padchest"
    assert done.manifest.credentialed
    assert "BIMCV" in done.card


def test_a_spanish_report_is_no_text(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, f"padchest:{root}", "--where", "view=PA,AP,AP_horizontal")
    assert [*done.rows] == ["a.png", "c.png", "e.png", "f.png"]
    assert {row.text_from for row in done.rows.values()} == {"none"}
    assert "4 of 4 films have no text" in done.output
    assert "reports that are not taken (Spanish, cut to word stems): 5" in done.output, (
        "one is of a film whose file is missing"
    )


def test_parts_keep_patients_apart(factory: SmallFactory, root: Path) -> None:
    parts = [ingest(factory, f"padchest:{root}", "--part", part, name=f"p{part[0]}") for part in ("0-50", "50-100")]
    patients = [{row.patient for row in side.rows.values()} for side in parts]
    assert all(patients)
    assert not patients[0] & patients[1]


def test_it_is_trained_on_and_tested_on(factory: SmallFactory, root: Path) -> None:
    sides = []
    for name, kept in (("real", "abc"), ("test", "def")):
        index = root.parent / f"{name}.csv"
        index.write_text("film\n" + "".join(f"{film}.png\n" for film in kept))
        sides.append(ingest(factory, f"padchest:{root}", "--keep", str(index), "--text", "labels", name=name))
    assert "real" in trained_and_tested(factory, *sides, "evaluate.uncertain=negative")
