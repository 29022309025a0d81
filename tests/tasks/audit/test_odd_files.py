"""An archive with files that are no films, odd names and torn films is audited; all of them are named, and escaped."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli.audit import app
from models.findings.chest_recogniser import ChestRecogniser
from models.phantom.case import Case
from models.phantom.film import draw_film
from tasks.audit import measure_batch as part_module
from tasks.audit.archive import Settings, audit_archive
from tasks.audit.archive_figure import shortened
from tasks.audit.archive_report import causes, write_audit
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm
from tasks.errors import AuditError
from tests.tasks.audit.test_archive import HEAD, audit, index, write


@pytest.fixture(scope="module")
def sound() -> list[np.ndarray]:
    return [draw_film(Case("a", 4711, index, ()), 128)[0] for index in range(2)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


class TestOddFiles:
    @pytest.fixture
    def mixed(self, root: Path, sound: list[np.ndarray]) -> Path:
        write(root, {"a.png": sound[0], "$b$ [x].png": sound[1]})
        film = (root / "a.png").read_bytes()
        for name in (b"\xff.png", b"new\nline.png", b"esc\x1b[31m.png"):
            Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(film)
        for name in ("one.zip", "two.zip", ".hidden"):
            (root / name).touch()
        for name in ("torn.png", "torn2.png"):
            (root / name).write_bytes(film[:999])
        (root / "pipe.png").mkdir()
        return root

    def test_one_odd_name_ends_nothing_and_all_is_named(self, mixed: Path) -> None:
        found = audit(mixed)
        assert [film.film for film in found.measurements.films] == ["$b$ [x].png", "a.png"]
        page = (mixed.parent / "out/report.md").read_text()
        assert r"| with an odd name | 3 | esc\x1b&#91;31m.png, new\x0aline.png, \xff.png |" in page
        assert "| zip | 2 | one.zip, two.zip |" in page
        assert "| hidden | 1 | .hidden |" in page
        assert all(line.isprintable() for line in page.splitlines())

    def test_the_terminal_says_it_too(self, mixed: Path) -> None:
        result = CliRunner().invoke(app, ["archive", str(mixed), "--out", str(mixed.parent / "out")])
        assert result.exit_code == 0, result.output
        assert "left out: 3 with an odd name (esc\\x1b[31m.png, new\\x0aline.png, \\xff.png), 2 zip" in result.output
        assert "not readable: 2, such as torn.png: damaged (" in result.output
        assert "\x1b" not in result.output

    def test_a_root_whose_name_is_odd(self, root: Path, sound: list[np.ndarray]) -> None:
        odd = Path(os.fsdecode(os.path.join(os.fsencode(root), b"d\xff")))
        odd.mkdir()
        (odd / "a.png").write_bytes(b"")
        write(root, {"a.png": sound[0]})
        (odd / "b.png").write_bytes((root / "a.png").read_bytes())
        write_audit(audit_archive(odd, root.parent / "out", Settings(), ChestRecogniser()), root.parent / "out")
        assert index(root)["a.png"]["detail"].endswith(r"d\xff/a.png: the file is empty")

    def test_images_that_no_table_names_are_counted(self, root: Path, sound: list[np.ndarray]) -> None:
        write(root, {"images/a.png": sound[0], "images/b.png": sound[1]})
        (root / "Data_Entry_2017.csv").write_text(HEAD + "a.png,Mass,0,1,58,M,PA\n")
        assert str(audit(root).left_out) == "1 images that no table names (images/b.png)"

    def test_where_no_film_is_listed_it_is_said_what_is_there(self, root: Path) -> None:
        (root / "a.zip").touch()
        with pytest.raises(ArchiveError, match=r"holds no image file; left out: 1 zip \(a\.zip\)"):
            audit(root, layout="folder")

    def test_a_folder_that_cannot_be_written_is_said_first(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "a.png").touch()
        (root.parent / "out").touch()
        monkeypatch.setattr(part_module, "read_film", None)
        with pytest.raises(AuditError, match=r"--out .*out cannot be written: File exists; name another folder"):
            audit(root)


def test_an_id_under_a_picture_is_its_end_and_no_formula() -> None:
    assert shortened("a.png") == "a.png"
    assert shortened("images_001/images/00000001_000.png") == "…es/00000001_000.png"
    assert shortened("a\x1b.png") == "a\\x1b.png"


def test_causes_are_told_once_each_with_a_film(root: Path) -> None:
    why = ["it holds 3 frames", "it holds 12 frames", "damaged (x)", "damaged (y)", "damaged (z)"]
    lost = [(ArchiveFilm(str(at), root / str(at)), f"{root / str(at)}: {each}") for at, each in enumerate(why)]
    found = SimpleNamespace(measurements=SimpleNamespace(unreadable=lost))
    assert causes(found) == [("damaged (x)", 3, "2"), ("it holds 3 frames", 2, "0")]  # type: ignore[arg-type]
