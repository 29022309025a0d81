"""An archive looked at from end to end: what is dropped and why, copies, leaks, the tail, and the pages it leaves."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from flows.cli.audit import app
from models.build.planted_defects import plant
from models.findings.chest_recogniser import ChestRecogniser
from models.phantom.case import Case
from models.phantom.film import draw_film
from tasks.audit import measure_batch as part_module
from tasks.audit.archive import ArchiveAudit, Settings, audit_archive
from tasks.audit.archive_report import plain, write_audit
from tasks.audit.copies import find_copies, find_leaks
from tasks.audit.verdicts import drawn, listed
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.pixels import Film, Header, read_film
from tasks.curate.measure import hash_films
from tasks.errors import AuditError

REAL = Path(__file__).parents[4] / "shared" / "data" / "nih_mini"
HEAD = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"


@pytest.fixture(scope="module")
def sound() -> list[np.ndarray]:
    return [draw_film(Case("a", 4711, index, ()), 128)[0] for index in range(24)]


def write(folder: Path, films: dict[str, np.ndarray]) -> None:
    for name, film in films.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), film)


def audit(root: Path, judge: Any = None, **settings: Any) -> ArchiveAudit:
    found = audit_archive(root, root.parent / "out", Settings(**settings), ChestRecogniser(), judge)
    write_audit(found, root.parent / "out")
    return found


def index(root: Path) -> dict[str, dict[str, Any]]:
    return {row["film"]: row for row in pl.read_parquet(root.parent / "out/index.parquet").to_dicts()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


class TestEndToEnd:
    @pytest.fixture
    def rows(self, root: Path, sound: list[np.ndarray]) -> dict[str, dict[str, Any]]:
        rng = np.random.default_rng(0)
        write(root, {f"good-{at}.png": film for at, film in enumerate(sound[:8])})
        write(root, {f"{kind}.png": plant(sound[8], kind, "strong", rng) for kind in ("blank", "inverted", "rotated")})
        write(root, {"twice.png": cv2.resize(sound[3], (300, 300), interpolation=cv2.INTER_AREA)})
        (root / "torn.png").write_bytes((root / "good-0.png").read_bytes()[:4000])
        (root / "note.jpg").write_text("no image")
        audit(root)
        return index(root)

    def test_every_film_has_a_row_that_says_why_it_is_dropped(self, rows: dict[str, dict[str, Any]]) -> None:
        assert len(rows) == 14
        dropped = {name: row["reasons"] for name, row in rows.items() if not row["kept"]}
        assert set(dropped) == {"blank.png", "inverted.png", "rotated.png", "twice.png", "torn.png", "note.jpg"}
        assert "contrast" in dropped["blank.png"]
        assert "polarity" in dropped["inverted.png"]
        assert dropped["torn.png"] == dropped["note.jpg"] == ["unreadable"]

    def test_a_copy_names_what_it_repeats(self, rows: dict[str, dict[str, Any]]) -> None:
        assert rows["twice.png"]["reasons"] == ["near_duplicate"]
        assert rows["twice.png"]["detail"].startswith("repeats good-3.png")

    def test_facts_and_scores_stand_in_the_row(self, rows: dict[str, dict[str, Any]]) -> None:
        row = rows["twice.png"]
        assert (row["height"], row["width"], row["kind"]) == (300, 300, "PNG L")
        assert 0 <= row["score_two_lungs"] <= 1
        assert rows["torn.png"]["score_two_lungs"] is None
        assert "torn.png: damaged" in rows["torn.png"]["detail"]

    def test_the_page_names_the_worst_and_the_lost(self, rows: dict[str, dict[str, Any]], root: Path) -> None:
        assert rows
        page = (root.parent / "out/report.md").read_text()
        assert "come from the phantom hospital (at 1.0% false rejects" in page
        assert "| contrast | 1 | 8.3% | blank.png |" in page
        assert "## Not readable: 2" in page
        assert (root.parent / "out/report.png").stat().st_size > 10_000


class TestCalibration:
    def test_limits_come_from_the_archive_where_a_share_of_it_is_good(
        self, root: Path, sound: list[np.ndarray]
    ) -> None:
        faint = [np.uint8(90) + film // 4 for film in sound]  # an archive unlike the phantom's
        write(root, {f"{at}.png": film for at, film in enumerate(faint)})
        assert audit(root).kept == 0
        found = audit(root, calibrate=1.0, false_rejects=0.1)
        assert found.verdicts.taken == 24
        assert found.kept >= 24 * 0.8
        assert "10.0% of 24 films of this archive" in (root.parent / "out/report.md").read_text()

    def test_limits_come_from_the_films_that_a_file_names(self, root: Path, sound: list[np.ndarray]) -> None:
        rng = np.random.default_rng(0)
        bad = [plant(np.uint8(90) + film // 4, "blurred", "strong", rng) for film in sound[:12]]
        write(root, {f"{at}.png": np.uint8(90) + film // 4 for at, film in enumerate(sound)})
        write(root, {f"bad-{at}.png": film for at, film in enumerate(bad)})
        good = root.parent / "good.txt"
        good.write_text("".join(f"{at}.png\n" for at in range(24)))
        audit(root, good=good, false_rejects=0.1)
        rows = index(root)
        assert sum(rows[f"bad-{at}.png"]["kept"] for at in range(12)) == 0
        assert sum(rows[f"{at}.png"]["kept"] for at in range(24)) >= 20
        assert "listed as good in good.txt" in (root.parent / "out/report.md").read_text()

    def test_a_list_that_does_not_fit_is_told(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {f"{at}.png": film for at, film in enumerate(sound[:3])})
        good = root.parent / "good.txt"
        with pytest.raises(AuditError, match=r"--good .*good\.txt: .*No such file"):
            audit(root, good=good)
        good.write_text("0.png\n7.png\n\n8.png\n")
        with pytest.raises(
            AuditError, match=r"2 of 3 ids are of no film .* such as 7\.png, 8\.png; an id looks like 0\.png"
        ):
            audit(root, good=good)
        with pytest.raises(AuditError, match="give one of them"):
            audit(root, good=good, calibrate=0.5)

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
    def test_a_list_is_read_as_people_save_it(self, root: Path, encoding: str) -> None:
        films = [ArchiveFilm(name, root / name) for name in ("für.png", "b.png")]
        good = root.parent / "good.txt"
        good.write_bytes("für.png\r\n\r\nb.png\r\n".encode(encoding))
        assert listed(films, good) == {"für.png", "b.png"}

    def test_a_list_is_checked_before_films_are_measured(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for at in range(4):
            (root / f"{at}.png").touch()
        good = root.parent / "good.txt"
        monkeypatch.setattr(part_module, "read_film", None)
        for text, told in (
            ("\n".join(f"x\x1b{at}" for at in range(9)), r"9 of 9 ids .* such as x\\x1b0, x\\x1b1, x\\x1b2; an id"),
            ("\n\n", r"good\.txt names no film"),
            ("0.png\n1.png", "2 films are taken as good, and a limit at 1.0% false rejects takes at least 100"),
        ):
            good.write_text(text)
            with pytest.raises(AuditError, match=told):
                audit(root, good=good)
        with pytest.raises(AuditError, match="4 films are taken as good"):
            audit(root, calibrate=1.0)
        assert not (root.parent / "out").exists()

    def test_good_films_that_cannot_be_read_are_counted(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {f"{at}.png": film for at, film in enumerate(sound[:4])})
        (root / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        good = root.parent / "good.txt"
        good.write_text("0.png\n1.png\ntorn.png\n")
        found = audit(root, good=good, false_rejects=0.5)
        assert found.verdicts.taken == 2
        assert found.archive.notes["films taken as good that cannot be read"] == 1

    def test_too_few_films_say_what_to_raise(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {f"{at}.png": film for at, film in enumerate(sound[:3])})
        with pytest.raises(AuditError, match=r"3 films are taken as good, .* takes at least 100: give more"):
            audit(root, calibrate=1.0)

    def test_the_share_is_drawn_by_id_whatever_else_is_there(self) -> None:
        films = [ArchiveFilm(str(at), Path()) for at in range(2000)]
        some = {films[row].film for row in drawn(films, 0.3)}
        assert 500 < len(some) < 700
        assert {film.film for film in films[:50]} & some == {films[row].film for row in drawn(films[:50], 0.3)}


class TestCopiesAndLeaks:
    @pytest.mark.parametrize(("splits", "stays"), [(("train", "test"), 1), (("train", "validate"), 1),
                                                   (("test", "train"), 0), ((None, None), 0)])  # fmt: skip
    def test_of_two_alike_the_test_split_keeps_its_own(
        self, sound: list[np.ndarray], splits: tuple[str | None, str | None], stays: int
    ) -> None:
        films = [ArchiveFilm(str(at), Path(), split=split) for at, split in enumerate(splits)]
        (copy,) = find_copies(films, hash_films([sound[0], sound[0]]), [False, False])
        assert (copy.earlier, copy.later, copy.bits) == (stays, 1 - stays, 0)

    def test_a_good_film_stays_over_its_spoilt_copy(self, sound: list[np.ndarray]) -> None:
        films = [ArchiveFilm("0", Path()), ArchiveFilm("1", Path())]
        (copy,) = find_copies(films, hash_films([sound[0], sound[0]]), [True, False])
        assert copy.earlier == 1

    def test_films_of_other_patients_are_no_copies(self, sound: list[np.ndarray]) -> None:
        films = [ArchiveFilm(str(at), Path()) for at in range(len(sound))]
        assert find_copies(films, hash_films(sound), [False] * len(sound)) == []

    def test_a_patient_stays_in_one_split(self) -> None:
        told = [("p1", "train"), ("p1", "test"), ("p1", "valid"), ("p2", "train"), ("p2", "train"), (None, "train"),
                ("p3", None), ("p3", "test"), ("p4", "fold1"), ("p4", "fold2")]  # fmt: skip
        films = [ArchiveFilm(str(at), Path(), patient=who, split=split) for at, (who, split) in enumerate(told)]
        assert find_leaks(films, range(len(films))) == {0: "test", 2: "test", 9: "fold1"}

    def test_a_leak_drops_the_film_of_the_training_split(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {"images/a.png": sound[0], "images/b.png": sound[1]})
        (root / "Data_Entry_2017.csv").write_text(HEAD + "a.png,Mass,0,1,58,M,PA\nb.png,Mass,1,1,58,M,PA\n")
        (root / "train_val_list.txt").write_text("a.png\n")
        (root / "test_list.txt").write_text("b.png\n")
        audit(root)
        rows = index(root)
        assert (rows["a.png"]["reasons"], rows["b.png"]["kept"]) == (["patient_in_two_splits"], True)
        assert rows["a.png"]["detail"] == "its patient is in test too"
        assert (rows["a.png"]["labels"]["Mass"], rows["a.png"]["labels"]["Cardiomegaly"]) == (1, 0)


class FakeJudge:
    """Answers by the mean grey of a film; the second question is always answered with no."""

    model, rule, questions, place = "folder/model", "all_no", ("Bright?", "Dark | <b>?"), 1
    revision, side = "model@1", None

    def ask(self, films):
        return [[(float(film.mean() > 128), 1.0), (0.1, 1.0)] for film in films]


class TestJudge:
    def test_its_rule_decides_and_its_questions_are_counted(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {f"{at}.png": film for at, film in enumerate(sound[:4])})
        seen = [float(film.mean() > 128) for film in sound[:4]]
        audit(root, FakeJudge())
        rows = index(root)
        assert [rows[f"{at}.png"]["question_1"] for at in range(4)] == seen
        assert ["vision_judge" in rows[f"{at}.png"]["reasons"] for at in range(4)] == [not yes for yes in seen]
        page = (root.parent / "out/report.md").read_text()
        assert f"| Bright? | {np.mean(seen):.1%} |" in page
        assert "| Dark &#124; &lt;b&gt;? | 0.0% |" in page
        assert f"| all_no | {np.mean(seen):.1%} |" in page
        assert "| any_no | 0.0% |" in page

    def test_a_film_is_decoded_once(
        self, root: Path, sound: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root, {f"{at}.png": film for at, film in enumerate(sound[:4])})
        opened: list[Path] = []
        monkeypatch.setattr(part_module, "read_film", lambda path: (opened.append(path), read_film(path))[1])
        audit(root, FakeJudge(), workers=2)
        assert sorted(opened) == sorted(root.iterdir())


class TestTail:
    def test_a_report_of_several_films_counts_once(self, root: Path, sound: list[np.ndarray]) -> None:
        for name, text in (("1", "Findings: Small left pleural effusion, seen by ___."), ("2", "Cardiomegaly.")):
            write(root, {f"{name}.png": sound[int(name)]})
            (root / f"{name}.txt").write_text(text)
        found = audit(root)
        assert found.bank is not None
        assert found.bank.reports == 2
        assert {entity.term: entity.count for entity in found.bank.entities}["pleural effusion"] == 1
        assert not any("__" in entity.term for entity in found.bank.entities)
        assert (root.parent / "out/entities/bank.csv").is_file()

    def test_labels_stand_in_where_there_are_no_reports(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {"a.png": sound[0]})
        rows = "a.png,Mass|Edema,0,1,58,M,PA\nb.png,Mass,0,2,58,M,PA\nc.png,No Finding,0,3,58,M,PA\n"
        (root / "Data_Entry_2017.csv").write_text(HEAD + rows)
        found = audit(root)
        assert found.counts == {"findings": [2, 1]}
        assert [why.endswith("the file is missing") for _, why in found.measurements.unreadable] == [True, True]
        assert "| the file is missing | 2 |" in (root.parent / "out/report.md").read_text()

    def test_neither_is_said(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {"a.png": sound[0]})
        assert audit(root).tails == {}
        assert "the tail of its findings is not known" in (root.parent / "out/report.md").read_text()


def test_a_header_fills_what_the_table_leaves_open(
    root: Path, sound: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, {"a.png": sound[0]})
    header = Header("p1", "s1", "PA", "f", "062Y")
    monkeypatch.setattr(part_module, "read_film", lambda _: Film(sound[0], "DICOM", header))
    (film,) = audit(root).measurements.films
    assert replace(film, path=Path()) == ArchiveFilm("a.png", Path(), "p1", "s1", "PA", "F", 62)


def test_text_of_an_archive_stays_text() -> None:
    assert plain("a\x1b[31m\u202eb") == "a\\x1b&#91;31m\\u202eb"
    assert plain("a|b\n<script>[x](y)`") == "a&#124;b &lt;script&gt;&#91;x](y)&#96;"


class TestCommandLine:
    def run(self, *words: object) -> SimpleNamespace:
        result = CliRunner().invoke(app, ["archive", *map(str, words)])
        return SimpleNamespace(code=result.exit_code, told=" ".join(result.output.split()))

    def test_findings_are_no_failure(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {"a.png": sound[0], "b.png": np.zeros((64, 64), np.uint8)})
        result = self.run(root, "--out", root.parent / "out")
        assert result.code == 0
        assert "dropped by contrast │ 1" in result.told
        assert "index.parquet, report.md, report.png" in result.told
        assert "2 films were measured by an earlier run" in self.run(root, "--out", root.parent / "out").told

    def test_what_the_user_can_mend_is_one_message(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root.parent)
        assert self.run(root).code == 2
        assert "holds no archive that is known; looked for nih" in self.run(root).told
        (root / "Data_Entry_2017.csv").write_text("Image Index,Finding Labels\n")
        assert "Data_Entry_2017.csv has no column Patient ID" in self.run(root).told
        assert (
            "rule: 'most' is not allowed: must be 'all_no', 'any_no' or 'k_of_n'"
            in self.run(root, "--judge", "x", "--rule", "most").told
        )
        (root / "Data_Entry_2017.csv").write_text(HEAD)
        assert "its tables name no film" in self.run(root).told
        (root / "Data_Entry_2017.csv").write_text(HEAD + "a.png,Mass,0,1,58,M,PA\n")
        assert "none of the 1 films" in self.run(root).told


def test_an_empty_folder_asked_for_as_one_is_told(root: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no image file"):
        audit(root, layout="folder")


def test_real_films_and_real_films_spoilt(root: Path) -> None:
    """Limits from 80 of 160 of NIH's films: what of the others is kept, and what of ten negatives of them is found."""
    table = REAL / "Data_Entry_images_320.csv"
    if not table.is_file():
        pytest.skip(f"{REAL} is not here: it holds 321 films of NIH ChestX-ray14")
    with table.open(newline="") as file:
        head, *rows = islice(csv.reader(file), 161)
    (root / "images").mkdir()
    for row in rows:
        (root / "images" / row[0]).symlink_to(REAL / "images_320" / row[0])
    bad = [f"bad-{row[0]}" for row in rows[1:20:2]]
    for name in bad:
        film = cv2.imread(str(REAL / "images_320" / name.removeprefix("bad-")), cv2.IMREAD_GRAYSCALE)
        assert film is not None
        cv2.imwrite(str(root / "images" / name), 255 - film)
    with (root / "Data_Entry_2017.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows, *([name, "Mass", 0, name] for name in bad)])
    good = root.parent / "good.txt"
    good.write_text("\n".join(row[0] for row in rows[::2]))
    found = audit(root, good=good, false_rejects=0.05)
    told = index(root)
    assert len(told) == 170
    assert all(told[row[0]]["sex"] and told[row[0]]["age"] for row in rows)
    assert sum(not told[name]["kept"] for name in bad) >= 8
    assert sum(told[row[0]]["kept"] for row in rows[1::2]) / 80 > 0.8
    assert found.verdicts.copies == []
