"""MIMIC-CXR-JPG with its four tables and its reports."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS
from tasks.corpora.archives.layouts.mimic import body_of

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


def labelled(study, ident: str, cell: str = "1.0") -> None:
    (study.root / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    study.text("mimic-cxr-2.0.0-chexpert.csv", f"subject_id,study_id,{NAMES}\n10000032,{ident},,{cell}{',' * 11},0\n")


@pytest.mark.parametrize("ident", ["50414267.0", " 50414267 ", "s50414267", "050414267", "5.0414267e7", '"50414267"'])
def test_ids_are_compared_as_ids(study, ident: str) -> None:
    labelled(study, ident)
    films, notes = study.read()
    assert [film.labels for film in films] == [{"Enlarged Cardiomediastinum": 1, "Support Devices": 0}] * 2 + [{}]
    assert notes["films without labels in mimic-cxr-2.0.0-chexpert.csv"] == 1


def test_ids_of_the_main_table_may_be_floats_too(study) -> None:
    (study.root / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    study.text("mimic-cxr-2.0.0-metadata.csv", "dicom_id,subject_id,study_id\nd1,10000032.0,50414267.0\n")
    (film,), _ = study.read()
    assert film.path == study.root / "files/p10/p10000032/s50414267/d1.jpg"
    assert (film.split, film.patient, film.study) == ("validate", "10000032", "50414267")
    assert film.labels == {"Enlarged Cardiomediastinum": -1, "Support Devices": 1}


@pytest.mark.parametrize(("ident", "told"), [
    ("1", r"mimic-cxr-2\.0\.0-chexpert\.csv, column study_id: no id in it \(such as '1'\) is in .* '50414267'"),
    ("50414267,1", r"chexpert\.csv, line 2: 17 cells under a header of 16"),
])  # fmt: skip
def test_labels_of_no_study_are_an_error(study, ident: str, told: str) -> None:
    labelled(study, ident)
    with pytest.raises(ArchiveError, match=told):
        study.read()


def test_a_bad_cell_names_row_and_study(study) -> None:
    labelled(study, "50414267", "0.5")
    with pytest.raises(
        ArchiveError, match=r"line 2 \(study 50414267\), column Enlarged Cardiomediastinum: '0\.5' is no"
    ):
        study.read()


def test_rounded_studies_in_the_main_table_are_refused(study) -> None:
    study.text("mimic-cxr-2.0.0-metadata.csv", META + "d1,10000032,5.04143e7,,,,,,\nd2,10000032,5.04143e7,,,,,,\n")
    with pytest.raises(ArchiveError, match=r"metadata\.csv, column study_id: 2 of 2 ids are rounded"):
        study.read()


def test_reports_of_other_names_are_told(study) -> None:
    study.text("files/p10/p10000032/50414267.txt", REPORT)
    with pytest.raises(
        ArchiveError, match=r"50414267\.txt: no study of .* that of its first one is called s50414267\.txt"
    ):
        study.read()


def test_a_report_that_is_no_text_is_noted_and_one_in_utf_16_is_read(study) -> None:
    path = study.text("files/p10/p10000032/s50414267.txt", "")
    path.write_bytes("FINDINGS: Clear.".encode("utf-16"))
    assert study.read()[0][0].report == "FINDINGS: Clear."
    path.write_bytes(b"\0\1\2")
    films, notes = study.read()
    assert films[0].report is None
    assert any("s50414267.txt: holds zero bytes" in note for note in notes)


def test_mimic_cxr_itself_lists_its_films_in_another_table(tree) -> None:
    tree.text("cxr-record-list.csv.gz", "subject_id,study_id,dicom_id,path\n10000032,50414267,d1,files/p10/x.dcm\n")
    path = tree.image("files/p10/p10000032/s50414267/d1.png").rename(
        tree.root / "files/p10/p10000032/s50414267/d1.dcm"
    )
    (film,), _ = tree.read()
    assert film.path == path


@pytest.mark.parametrize(("text", "told"), [
    (" FINAL REPORT\n\n FINDINGS: Clear.\n\n IMPRESSION: Normal.", "FINDINGS: Clear.\n\nIMPRESSION: Normal."),
    ("FINAL REPORT\nFINDINGS: Clear.", "FINDINGS: Clear."), ("FINAL REPORT FINDINGS: Clear.", "FINDINGS: Clear."),
    ("FINAL REPORT\r\n\r\nClear.".replace("\r", ""), "Clear."), ("FINAL REPORT\n Clear.\n", "Clear."),
    ("WET READ: ___ 5:10 PM\n No edema.\n______________\n  FINAL REPORT\n HISTORY: x\n\n IMPRESSION:\n\n Edema.",
     "IMPRESSION: Edema."),
    ("WET READ: ___ FRI 5:10 PM\n No edema.\n ______________\n", "No edema."),
    ("FINDINGS: Clear.\n\nIMPRESSION: Normal.\n\nADDENDUM: Called to Dr. ___.",
     "FINDINGS: Clear.\n\nIMPRESSION: Normal."),
    ("FINDINGS:\n\nLUNGS: Clear.\nHEART: Normal.\n\nIMPRESSION: None.",
     "FINDINGS: LUNGS: Clear. HEART: Normal.\n\nIMPRESSION: None."),
    ("FINDINGS: Clear.\n\nNOTIFICATION: Dr. ___.\n\nSigned by ___.", "FINDINGS: Clear."),
    ("FINAL REPORT\n", None),
])  # fmt: skip
def test_titles_are_headings_and_no_text(text: str, told: str | None) -> None:
    assert body_of(text) == told
