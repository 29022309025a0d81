"""MIMIC-CXR-JPG with its four tables and its reports."""

from __future__ import annotations

import pytest

from tasks.archives.layouts.chexpert import OBSERVATIONS
from tasks.archives.layouts.mimic import body_of

NAMES = ",".join(OBSERVATIONS)
META = "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime\n"
REPORT = (
    "                                 FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n\n"
    " INDICATION:  ___F with cough\n\n"
    " IMPRESSION: \n \n Preliminary: clear.\n\n FINDINGS: \n \n Small left effusion, seen by ___.\n\n"
    " IMPRESSION: \n \n Left effusion.\n\n RECOMMENDATION(S):  Follow up.\n"
)


@pytest.fixture
def study(tree):
    tree.text("mimic-cxr-2.0.0-metadata.csv.gz", META + "d1,10000032,50414267,CHEST,PA,8,6,21800506,1.0\n"
              "d2,10000032,50414267,CHEST,LATERAL,8,6,21800506,1.0\n"
              "d3,10000033,50414268,CHEST,,8,6,21800506,1.0\n")  # fmt: skip
    tree.text("mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split\nd1,50414267,10000032,validate\n")
    tree.text(
        "mimic-cxr-2.0.0-chexpert.csv.gz", f"subject_id,study_id,{NAMES}\n10000032,50414267,,-1.0{',' * 11},1.0\n"
    )
    tree.text("mimic-cxr-2.0.0-negbio.csv.gz", f"subject_id,study_id,{NAMES}\n10000032,50414267,1.0{',' * 13}\n")
    tree.image("files/p10/p10000032/s50414267/d1.jpg")
    return tree


def test_images_of_a_study_share_labels_and_report(study) -> None:
    study.text("files/p10/p10000032/s50414267.txt", REPORT)
    (frontal, lateral, other), notes = study.read()
    assert frontal.path == study.root / "files/p10/p10000032/s50414267/d1.jpg"
    assert (frontal.view, lateral.view, other.view) == ("PA", "LATERAL", None)
    assert frontal.labels == lateral.labels == {"Enlarged Cardiomediastinum": -1, "Support Devices": 1}
    assert frontal.report == lateral.report
    assert (frontal.split, lateral.split) == ("validate", None)
    assert notes == {
        "studies without a report": 1,
        "films without a split in mimic-cxr-2.0.0-split.csv.gz": 2,
        "films without labels in mimic-cxr-2.0.0-chexpert.csv.gz": 1,
    }


def test_the_body_is_the_last_findings_and_the_last_impression() -> None:
    body = body_of(REPORT)
    assert body == "FINDINGS: Small left effusion, seen by ___.\n\nIMPRESSION: Left effusion."


def test_a_report_without_sections_is_its_text_and_an_empty_one_is_none() -> None:
    assert "Lungs are clear" in (body_of("\n\nCOMPARISON: ___\n\n Lungs are clear.\n") or "")
    assert body_of("  \n\n ") is None


def test_reports_may_lie_in_a_folder_of_their_own(study) -> None:
    study.text("mimic-cxr-reports/files/p10/p10000032/s50414267.txt", "IMPRESSION: Clear.")
    assert study.read()[0][0].report == "IMPRESSION: Clear."


def test_the_sectioned_table_names_studies_with_an_s(study) -> None:
    study.text("mimic_cxr_sectioned.csv", "study,impression,findings,last_paragraph,comparison\ns50414267,Clear.,,,\n"
               "s50414268,,,All clear.,\n")  # fmt: skip
    films, notes = study.read()
    assert [film.report for film in films] == ["IMPRESSION: Clear.", "IMPRESSION: Clear.", "All clear."]
    assert "studies without a report" not in notes


def test_negbio_is_taken_where_chexpert_is_missing(study) -> None:
    (study.root / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    assert study.read()[0][0].labels == {"No Finding": 1}
