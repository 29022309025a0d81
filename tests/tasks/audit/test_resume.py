"""An audit that was broken off goes on: what was measured is not measured again, and the outcome is the same."""

from __future__ import annotations

import errno
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.build.planted_defects import plant
from models.findings.chest_recogniser import ChestRecogniser
from models.phantom.case import Case
from models.phantom.film import draw_film
from tasks.audit import measure_batch as part
from tasks.audit import measurements
from tasks.audit.archive import ArchiveAudit, Settings, audit_archive
from tasks.audit.archive_report import write_audit
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.pixels import read_film
from tasks.errors import AuditError
from tests.tasks.audit.test_archive import FakeJudge

REPOSITORY = Path(__file__).parents[3]
BROKEN_OFF = """
import os, signal, sys
from flows.cli.app import app
from flows.progress import Progress
from tasks.audit import measurements
from tasks.audit import measure_batch as part

def stage(self, name, done, total):
    if name.startswith("films") and done > int(sys.argv[4]):
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))

measurements.PART, part.BATCH = int(sys.argv[5]), 3
Progress.stage = stage
app(["audit", "archive", sys.argv[1], "--out", sys.argv[2]])
"""


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive, and what two audits that nothing disturbed left of it: ``out`` in parts of six, and ``whole``.

    Of its twenty-one films one is blank, one cannot be read and one is a copy.
    """
    folder = tmp_path_factory.mktemp("place") / "audited" / "archive"
    folder.mkdir(parents=True)
    films = [draw_film(Case("a", 4711, index, ()), 128)[0] for index in range(18)]
    films.append(plant(films[0], "blank", "strong", np.random.default_rng(0)))
    for at, film in enumerate(films):
        cv2.imwrite(str(folder / f"{at:02}.png"), film)
    (folder / "19.png").write_bytes(b"no film")
    (folder / "20.png").write_bytes((folder / "03.png").read_bytes())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(measurements, "PART", 6)
        audit(folder)
    audit(folder, "whole")
    return folder.parent.rename(folder.parent.with_name("before"))


@pytest.fixture
def root(audited: Path) -> Iterator[Path]:
    """The archive, not yet audited; at one path for all tests, since an index names its films by path."""
    place = audited.with_name("audited")
    yield shutil.copytree(audited / "archive", place / "archive")
    shutil.rmtree(place)


@pytest.fixture
def out(audited: Path, root: Path) -> Path:
    """What the audit in parts of six left."""
    return shutil.copytree(audited / "out", root.parent / "out")


@pytest.fixture
def whole(audited: Path, root: Path) -> Path:
    """What an audit of the archive leaves that nothing disturbed."""
    return shutil.copytree(audited / "whole", root.parent / "whole")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the films that were opened to be measured, in parts of six."""
    names: list[str] = []
    monkeypatch.setattr(measurements, "PART", 6)
    monkeypatch.setattr(part, "read_film", lambda path: (names.append(path.name), read_film(path))[1])
    return names


def audit(root: Path, out: str = "out", judge: FakeJudge | None = None, **settings: object) -> ArchiveAudit:
    folder = root.parent / out
    found = audit_archive(root, folder, Settings(**settings), ChestRecogniser(), judge)  # type: ignore[arg-type]
    write_audit(found, folder)
    return found


def same(root: Path, one: str = "out", other: str = "whole") -> bool:
    """Whether two audits left the same index, page and picture, byte by byte."""
    return all(
        (root.parent / one / name).read_bytes() == (root.parent / other / name).read_bytes()
        for name in ("index.parquet", "report.md", "report.png")
    )


def kept(root: Path, kind: str = "checks") -> list[Path]:
    return sorted((root.parent / "out" / "measurements").glob(f"{kind}-*/*.parquet"))


def broken_off(root: Path, by: str, after: int, part: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", BROKEN_OFF, str(root), str(root.parent / "out"), by, str(after), str(part)]
    return subprocess.run(words, cwd=REPOSITORY, check=False, capture_output=True, text=True)


class TestBrokenOff:
    @pytest.mark.usefixtures("whole")
    def test_a_killed_audit_goes_on_and_ends_as_if_nothing_had_been(self, root: Path, measured: list[str]) -> None:
        assert broken_off(root, "SIGKILL", after=14, part=6).returncode == -signal.SIGKILL
        assert not (root.parent / "out" / "index.parquet").exists()
        assert len(kept(root)) == 2
        assert audit(root).measurements.reused == 12
        assert sorted(measured) == [f"{at:02}.png" for at in range(12, 21)]
        assert same(root)

    @pytest.mark.usefixtures("whole")
    def test_ctrl_c_keeps_what_is_measured_and_says_how_much(self, root: Path, measured: list[str]) -> None:
        stopped = broken_off(root, "SIGINT", after=7, part=64)
        assert stopped.returncode == 130
        assert "Traceback" not in stopped.stderr
        told = re.search(
            r"stopped: (\d+) of 21 films are measured; the same command goes on from there", stopped.stderr
        )
        assert told is not None, stopped.stderr
        assert 7 < int(told[1]) < 21
        assert int(told[1]) == sum(pq.read_metadata(path).num_rows for path in kept(root))
        assert audit(root).measurements.reused == int(told[1])
        assert len(measured) == 21 - int(told[1])
        assert same(root)

    @pytest.mark.usefixtures("out")
    def test_progress_says_from_the_first_how_many_are_reused(self, root: Path) -> None:
        said: list[tuple[str, int, int]] = []
        audit_archive(
            root, root.parent / "out", Settings(), ChestRecogniser(), on_progress=lambda *told: said.append(told)
        )
        assert said == [("films, 20 measured before", 20, 21), ("films, 20 measured before", 21, 21)]


class TestReuse:
    @pytest.mark.usefixtures("whole")
    def test_a_second_run_opens_only_what_could_not_be_read(self, root: Path, measured: list[str]) -> None:
        first = audit(root)
        assert (first.measurements.reused, len(measured)) == (0, 21)
        measured.clear()
        assert audit(root).measurements.reused == 20
        assert measured == ["19.png"]
        assert same(root)

    def test_other_limits_and_another_rule_measure_nothing_again(self, root: Path, measured: list[str]) -> None:
        (root / "19.png").unlink()
        judge, other = FakeJudge(), FakeJudge()
        other.rule, other.place = "any_no", 0
        audit(root, judge=judge)
        before = {path: path.stat().st_mtime_ns for path in (*kept(root), *kept(root, "judge"))}
        measured.clear()
        strict = audit(root, judge=other, calibrate=1.0, false_rejects=0.3)
        assert measured == []
        assert strict.kept < strict.measurements.reused == 20
        assert {path: path.stat().st_mtime_ns for path in (*kept(root), *kept(root, "judge"))} == before

    @pytest.mark.usefixtures("out", "whole")
    def test_a_judge_that_comes_goes_or_asks_otherwise_leaves_the_checks_alone(
        self, root: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(part, "FilmBatch", None)  # no check can look
            assert audit(root, judge=FakeJudge()).measurements.answers.shape == (20, 2)
            other = FakeJudge()
            other.questions = ("Bright?", "Another?")
            assert audit(root, judge=other).measurements.reused == 0
            measured.clear()
            assert audit(root, judge=FakeJudge()).measurements.reused == audit(root).measurements.reused == 20
        assert set(measured) == {"19.png"}
        assert same(root)

    def test_another_revision_of_the_checks_keeps_the_answers(
        self, root: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        judge = FakeJudge()
        monkeypatch.setattr(judge, "ask", lambda films: (asked.append(len(films)), FakeJudge.ask(judge, films))[1])
        audit(root, judge=judge)
        (mark,) = (root.parent / "out" / "measurements").glob("checks-*")
        mark.rename(mark.with_name("checks-0123456789ab"))
        assert (sum(asked), len(measured)) == (20, 21)
        assert audit(root, judge=judge).measurements.reused == 0
        assert (sum(asked), len(measured)) == (20, 42)

    @pytest.mark.usefixtures("out")
    def test_a_film_that_changed_is_measured_again_and_no_other(self, root: Path, measured: list[str]) -> None:
        (root / "07.png").write_bytes((root / "18.png").read_bytes())
        assert audit(root).measurements.reused == 19
        assert sorted(measured) == ["07.png", "19.png"]
        audit(root, "whole")
        assert same(root)

    @pytest.mark.usefixtures("out")
    def test_films_that_come_and_go_are_no_matter_to_the_others(self, root: Path, measured: list[str]) -> None:
        (root / "05.png").unlink()
        (root / "000.png").write_bytes((root / "18.png").read_bytes())
        (root / "19.png").write_bytes((root / "17.png").read_bytes())
        assert audit(root).measurements.reused == 19
        assert sorted(measured) == ["000.png", "19.png"]
        audit(root, "whole")
        assert same(root)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)


def of_another_revision(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"measured_by": "something else"}), path)


@pytest.mark.usefixtures("measured")
class TestSpoiltParts:
    @pytest.mark.parametrize(
        "spoil",
        [
            cut,
            lambda path: path.write_bytes(b""),
            lambda path: path.write_text("not ours"),
            flip,
            lambda path: path.write_bytes(path.read_bytes().replace(b"said", b"\xe5aid")),
            lambda path: pq.write_table(pa.table({"film": ["00.png"]}), path),
            of_another_revision,
        ],
        ids=["torn", "empty", "no parquet", "flipped", "no UTF-8", "other columns", "another revision"],
    )
    @pytest.mark.usefixtures("out", "whole")
    def test_one_is_named_and_its_films_are_measured_again(
        self, root: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object]
    ) -> None:
        path = next(path for path in kept(root) if pq.read_metadata(path).num_rows == 6)
        spoil(path)
        assert audit(root).measurements.reused == 14
        assert str(path) in caplog.text
        caplog.clear()
        assert audit(root).measurements.reused == 20
        assert caplog.text == ""
        assert same(root)

    def test_a_full_disk_is_said_and_leaves_no_half_of_a_part(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: object, path: Path, **__: object) -> None:
            path.write_bytes(b"PAR1")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(pq, "write_table", full)
        with pytest.raises(AuditError, match="No space left on device; make room, and the same command goes on"):
            audit(root)
        assert [path for path in (root.parent / "out" / "measurements").rglob("*") if path.is_file()] == []


def test_a_film_that_goes_while_the_audit_runs_has_no_picture(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: Path) -> None:
        raise UnreadableFilm(f"{path}: the file is missing")

    monkeypatch.setattr(measurements, "read_film", gone)
    found = audit(root)
    assert all((one.picture == 255).all() for worst in found.measurements.worst.values() for one in worst)
    assert (root.parent / "out" / "report.png").is_file()


@pytest.mark.usefixtures("out")
def test_what_a_film_scores_does_not_depend_on_its_neighbours(root: Path) -> None:
    for path in sorted(root.iterdir())[1:]:
        path.unlink()
    alone = audit(root, "whole").measurements
    among = pq.read_table(root.parent / "out" / "index.parquet").to_pylist()[0]
    assert {f"score_{name}": float(scores[0]) for name, scores in alone.scores.items()} == {
        name: value for name, value in among.items() if name.startswith("score_")
    }
