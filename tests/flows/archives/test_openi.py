"""OpenI's XML reports to a version with FINDINGS and IMPRESSION of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.flows.conftest import SmallFactory
from tests.flows.ingested import ingest, trained_and_tested
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.corpora.archives.made import DEEP, dicom

XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><meta type="rr"/><uId id="CXR{number}"/><licenseType>open-access</licenseType>
<MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="INDICATION">Cough for XXXX days</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText><AbstractText Label="IMPRESSION">{impression}</AbstractText>
</Abstract></Article></MedlineCitation><MeSH>{mesh}</MeSH>{images}</eCitation>
"""

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def report(tree: Tree, number: int, texts: tuple[str, str], mesh: tuple[str, ...], *images: str) -> None:
    """One report with the films that it names."""
    findings, impression = texts
    terms = "".join(f"<major>{term}</major>" for term in mesh) + "<automatic>effusions</automatic>"
    parents = "".join(f'<parentImage id="{image}"/>' for image in images)
    text = XML.format(number=number, findings=findings, impression=impression, mesh=terms, images=parents)
    tree.text(f"ecgen-radiology/{number}.xml", text)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports with both sections, with one, with none, and without a film; films as PNG and as DICOM."""
    tree = Tree(tmp_path_factory.mktemp("openi"))
    report(tree, 1, ("The heart is XXXX enlarged. Small effusion.", "Cardiomegaly."),
           ("Cardiomegaly/mild", "Pleural Effusion/left/small", "Opacity/lung/base/left"),
           "CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001")  # fmt: skip
    report(tree, 2, ("", "No acute cardiopulmonary abnormality."), ("normal",), "CXR2_IM-0652-1001")
    report(tree, 3, ("", ""), ("no Indexing",), "CXR3_1_IM-1384-1001")
    report(tree, 4, ("Clear.", "Normal."), ("normal",))
    report(tree, 5, ("Clear lungs.", ""), ("normal",), "CXR5_IM-2117-1003002", "CXR5_IM-2117-1004003")
    report(tree, 6, ("Lungs are clear.", "Normal chest."), ("normal",), "CXR6_IM-2192-1001")
    tree.text("nlmcxr_tsne_pa.csv", "imageid,tsne-view\nCXR1_1_IM-0001-3001,L\nCXR1_1_IM-0001-4001,PA\n")
    for at, name in enumerate(
        ("CXR1_1_IM-0001-3001", "CXR2_IM-0652-1001", "CXR5_IM-2117-1003002", "CXR6_IM-2192-1001")
    ):
        tree.image(f"NLMCXR_png/{name}.png", np.random.default_rng(at).integers(0, 255, (40, 50, 3), np.uint8))
    (tree.root / "NLMCXR_dcm/1").mkdir(parents=True)
    dicom(tree.root / "NLMCXR_dcm/1/1_IM-0001-4001.dcm", DEEP, 12, PatientSex="F", PatientAge="040Y")
    tree.image("NLMCXR_png/CXR3_1_IM-1384-1001.png", np.eye(40, dtype=np.uint8) * 200)
    return tree.root


def test_reports_terms_and_views_stand_in_the_rows(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root))
    lateral, frontal, normal, silent, clear, _ = done.rows.values()
    assert [*done.rows][:2] == ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001"]
    assert lateral.findings == frontal.findings == "The heart is XXXX enlarged. Small effusion."
    assert (lateral.impression, lateral.text_from) == ("Cardiomegaly.", "report")
    assert lateral.labels == {"cardiomegaly": 1, "pleural effusion": 1, "opacity": 1}
    assert (lateral.view, frontal.view, lateral.study) == ("L", "PA", "1")
    assert (frontal.sex, frontal.age, frontal.provenance["file"]) == (
        "F",
        40,
        "DICOM MONOCHROME2 12 bits, uncompressed",
    )
    assert (normal.findings, normal.impression) == ("", "No acute cardiopulmonary abnormality.")
    assert (normal.labels, normal.entities) == ({"normal": 1}, [])
    assert silent.labels == {}, "a report that was not indexed says nothing"
    assert (silent.text_from, clear.findings, clear.impression) == ("none", "Clear lungs.", "")
    assert [reject.reason for reject in done.rejects] == ["CXR5_IM-2117-1004003.png: the file is missing"]
    assert "reports without an image: 1" in done.output
    assert (done.manifest.licence, done.manifest.credentialed) == ("CC-BY-NC-ND-4.0", False)
    assert done.manifest.label_set == "openi"
    assert "| report | 5 |" in done.card


def test_films_of_one_study_are_in_one_part(factory: SmallFactory, root: Path) -> None:
    """No table says whose film it is, and both films of a study are one patient's."""
    parts = [ingest(factory, f"openi:{root}", "--part", part, name=f"part{part[0]}") for part in ("0-50", "50-100")]
    studies = [{row.study for row in part.rows.values()} for part in parts]
    assert not studies[0] & studies[1]
    assert sum(len(part.rows) + len(part.rejects) for part in parts) == 7


def test_it_is_trained_on_and_tested_on(factory: SmallFactory, root: Path) -> None:
    keep = root.parent / "keep.csv"
    keep.write_text("film\nCXR5_IM-2117-1003002\nCXR6_IM-2192-1001\nCXR3_1_IM-1384-1001\n")
    real = ingest(factory, f"openi:{root}", "--keep", str(keep), name="real")
    keep.write_text("film\nCXR1_1_IM-0001-3001\nCXR1_1_IM-0001-4001\nCXR2_IM-0652-1001\n")
    test = ingest(factory, f"openi:{root}", "--keep", str(keep), name="test")
    assert "real" in trained_and_tested(factory, real, test, "evaluate.uncertain=negative")
