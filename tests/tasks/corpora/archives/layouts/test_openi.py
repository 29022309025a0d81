"""OpenI's XML files, and Kaggle's two tables of the same reports."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.layouts.openi import base_terms

XML = (
    "<eCitation><AbstractText Label='FINDINGS'>Clear.</AbstractText><AbstractText Label='IMPRESSION'>{text}"
    "</AbstractText><MeSH><major>Opacity/lung/base/left</major><major>Opacity/lung</major><major>Cardiomegaly/mild"
    "</major></MeSH><parentImage id='CXR1_1_IM-0001-3001'/><parentImage id='CXR1_1_IM-0001-4001'/></eCitation>"
)


def test_a_report_speaks_of_every_image_that_it_names(tree) -> None:
    tree.text("ecgen-radiology/1.xml", XML.format(text="Normal chest x-XXXX."))
    path = tree.image("NLMCXR_png/CXR1_1_IM-0001-3001.png")
    dicom = tree.text("NLMCXR_dcm/1/1_IM-0001-4001.dcm", "")
    (first, second), _ = tree.read()
    assert (first.film, first.path, first.study) == ("CXR1_1_IM-0001-3001", path, "1")
    assert second.path == dicom
    assert first.labels == {"opacity": 1, "cardiomegaly": 1}
    assert first.report == second.report == "FINDINGS: Clear.\n\nIMPRESSION: Normal chest x-XXXX."


def test_reports_without_images_and_broken_files_are_counted(tree) -> None:
    tree.text("a/1.xml", XML.format(text=""))
    tree.text("a/2.xml", "<eCitation/>")
    tree.text("a/3.xml", "<eCitation>")
    films, notes = tree.read()
    assert len(films) == 2
    broken = "XML files that are no report, such as 3.xml (not readable as XML: no element found: line 1, column 11)"
    assert notes == {"reports without an image": 1, broken: 1}


def test_views_come_from_the_table_of_views(tree) -> None:
    tree.text("a/1.xml", XML.format(text=""))
    tree.text("nlmcxr_tsne_pa.csv", "imageid,tsne-view\nCXR1_1_IM-0001-3001,L\n")
    assert [film.view for film in tree.read()[0]] == ["L", None]


def test_kaggles_tables(tree) -> None:
    head = "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
    tree.text(
        "indiana_reports.csv",
        head + "1,normal,normal,Xray,Cough,None,,Normal.\n4,Opacity/lung;Opacity/base; Mass,x,x,x,x,,\n",
    )
    tree.text(
        "indiana_projections.csv",
        "uid,filename,projection\n1,1_IM-0001-4001.dcm.png,Frontal\n4,4_IM-1.dcm.png,Lateral\n",
    )
    path = tree.image("images/images_normalized/1_IM-0001-4001.dcm.png")
    (normal, opaque), _ = tree.read()
    assert (normal.path, normal.view, normal.report) == (path, "Frontal", "IMPRESSION: Normal.")
    assert (opaque.labels, opaque.report) == ({"opacity": 1, "mass": 1}, None)


def test_kaggles_ids_may_be_floats_and_must_meet(tree) -> None:
    tree.text("indiana_reports.csv", "uid,MeSH,findings,impression\n1.0,normal,,Normal.\n2.0,3;normal,,x\n")
    tree.text("indiana_projections.csv", "uid,filename,projection\n1,1.png,Frontal\n3,3.png,Frontal\n")
    films, notes = tree.read()
    assert [(film.report, film.labels) for film in films] == [("IMPRESSION: Normal.", {"normal": 1}), (None, {})]
    assert notes == {
        "films without a report in indiana_reports.csv": 1, "rows of indiana_reports.csv without a film": 1,
    }  # fmt: skip
    tree.text("indiana_projections.csv", "uid,filename,projection\n9,1.png,Frontal\n")
    with pytest.raises(ArchiveError, match=r"indiana_reports\.csv, column uid: no id in it \(such as '1\.0'\)"):
        tree.read()


def test_other_xml_files_beside_the_reports_and_an_old_encoding(tree) -> None:
    tree.text("a/0.xml", "<catalog/>")
    tree.text("a/1.xml", "").write_bytes(XML.format(text="Caf\xe9.").encode("utf-16"))
    films, notes = tree.read()
    assert (films[0].report or "").endswith("Caf\xe9.")
    assert notes == {
        "XML files that are no report, such as 0.xml (its root is <catalog>, an OpenI report has <eCitation>)": 1
    }


def test_a_report_that_was_not_indexed_has_no_label() -> None:
    assert base_terms(["no Indexing"]) == base_terms(["No Indexing"]) == []
    assert base_terms(["Opacity/lung", "opacity", "7", "normal"]) == ["opacity", "normal"]
