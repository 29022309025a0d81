"""Reports from every layout that people have, with the dirt that is in them."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.corpora.archives.openi import read_openi
from tasks.corpora.reports import Corpus, Report
from tasks.errors import AuditError

XML = (
    "<eCitation><AbstractText Label='FINDINGS'>Clear lungs.</AbstractText>"
    "<AbstractText Label='IMPRESSION'/><MeSH><major>normal</major><major> </major></MeSH></eCitation>"
)


def read(path: Path, column: str | None = None) -> list[Report]:
    return list(Corpus(path, column).reports())


def test_a_mimic_folder_is_read_in_order_by_study(tmp_path: Path) -> None:
    for study in ("p11/p11000001/s2", "p10/p10000032/s50414267"):
        file = tmp_path / f"files/{study}.txt"
        file.parent.mkdir(parents=True)
        file.write_text(f"FINDINGS: {study}", encoding="utf-8")
    (tmp_path / "LICENSE").write_text("not a report")
    assert read(tmp_path) == [
        Report("s50414267", "FINDINGS: p10/p10000032/s50414267"), Report("s2", "FINDINGS: p11/p11000001/s2"),
    ]  # fmt: skip


def test_tables_with_sections_or_with_one_column_of_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('study,impression,findings\ns1,"Normal, all",\ns2,,nan\n,,Two\n', encoding="utf-8")
    rows = read(tmp_path / "a.csv")
    assert [row.name for row in rows] == ["s1", "a-3"]
    assert rows[0].text == "FINDINGS: \n\nIMPRESSION: Normal, all"
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress("id;x\n".replace(";", ",").encode() + b"7,Caf\xe9 effusion\n"))
    assert read(tmp_path / "b.csv.gz", "x") == [Report("7", "Caf\xe9 effusion")]
    pq.write_table(pa.table({"sample_id": ["q"], "Report": ["Edema."], "n": [1]}), tmp_path / "c.parquet")
    assert read(tmp_path / "c.parquet") == [Report("q", "Edema.")]
    with pytest.raises(AuditError, match=r"no column called findings.*which of id, x .*--column"):
        read(tmp_path / "b.csv.gz")
    with pytest.raises(AuditError, match="has no column 'y'; it has sample_id, Report, n"):
        read(tmp_path / "c.parquet", "y")


def test_openi_as_files_and_as_its_archive(tmp_path: Path) -> None:
    (tmp_path / "1.xml").write_text(XML)
    (tmp_path / "2.xml").write_text("<eCitation>")
    corpus = Corpus(tmp_path)
    assert [report.name for report in corpus.reports()] == ["1"]
    assert len(corpus.problems) == 1
    assert "2.xml: not readable as XML" in corpus.problems[0]
    with tarfile.open(tmp_path / "all.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("ecgen-radiology/1.xml")
        info.size = len(XML)
        archive.addfile(info, io.BytesIO(XML.encode()))
    assert read(tmp_path / "all.tgz")[0].text.startswith("FINDINGS: Clear lungs.")
    assert read_openi(XML.encode()).mesh == ("normal",)
    with pytest.raises(ValueError, match="<html>"):
        read_openi(b"<html/>")


def test_nothing_to_read_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="does not exist"):
        read(tmp_path / "nowhere")
    with pytest.raises(AuditError, match=r"holds no \.txt"):
        read(tmp_path)
    (tmp_path / "film.png").write_bytes(b"\x89PNG")
    with pytest.raises(AuditError, match=r"read from \.txt"):
        read(tmp_path / "film.png")
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(AuditError, match="no report with a word"):
        read(tmp_path)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(AuditError, match=r"torn\.parquet"):
        read(tmp_path / "torn.parquet")


def test_chexpert_plus_has_its_sections_in_columns(tmp_path: Path) -> None:
    table = "path_to_image,section_findings,section_impression\nt/p/1.jpg,Clear.,\n"
    (tmp_path / "df.csv").write_text(table, encoding="utf-8")
    assert read(tmp_path / "df.csv") == [Report("t/p/1.jpg", "FINDINGS: Clear.\n\nIMPRESSION: ")]


def test_one_bad_member_of_an_archive_costs_no_other(tmp_path: Path) -> None:
    members = {"1.txt": "Café.".encode("utf-16"), "2.txt": b"\0\1", "3.xml": b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>",
               "4.png": b"\x89PNG", "5.xml": XML.encode()}  # fmt: skip
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    corpus = Corpus(tmp_path / "all.tar")
    assert [report.name for report in corpus.reports()] == ["1", "5"]
    assert [problem.partition(": ")[0] for problem in corpus.problems] == [
        f"{tmp_path / 'all.tar'}, 2.txt", f"{tmp_path / 'all.tar'}, 3.xml",
    ]  # fmt: skip
    assert corpus.left_out_lines() == ["left out: 1 .png files in all.tar (4.png)"]
