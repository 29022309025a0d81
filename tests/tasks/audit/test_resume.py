"""An audit that was broken off goes on: what was measured is not measured again, and the outcome is the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from models.encoders.chest_recogniser import ChestRecogniser
from models.judges.planted import plant
from models.phantom.case import Case
from models.phantom.film import draw_film
from tasks.archives.pixels import read_film
from tasks.audit import looks, part
from tasks.audit.archive import ArchiveAudit, Settings, audit_archive
from tasks.audit.errors import AuditError
from tests.tasks.audit.test_archive import FakeJudge

ROOT = Path(__file__).parents[3]
DIE = """
import os, signal, sys
from pathlib import Path
from models.encoders.chest_recogniser import ChestRecogniser
from tasks.audit import looks
from tasks.audit.archive import Settings, audit_archive

def on_progress(stage, done, total):
    if stage == "films" and done > 14:
        os.kill(os.getpid(), signal.SIGKILL)

looks.PART = 6
audit_archive(Path(sys.argv[1]), Path(sys.argv[2]), Settings(), ChestRecogniser(), on_progress=on_progress)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty films, of which one is blank, one cannot be read and one is a copy."""
    folder = tmp_path / "archive"
    folder.mkdir()
    films = [draw_film(Case("a", 4711, index, ()), 128)[0] for index in range(18)]
    films.append(plant(films[0], "blank", "strong", np.random.default_rng(0)))
    for at, film in enumerate(films):
        cv2.imwrite(str(folder / f"{at:02}.png"), film)
    (folder / "19.png").write_bytes(b"no film")
    (folder / "20.png").write_bytes((folder / "03.png").read_bytes())
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the films that were decoded, in parts of six."""
    names: list[str] = []
    monkeypatch.setattr(looks, "PART", 6)
    for module in (part, looks):
        monkeypatch.setattr(module, "read_film", lambda path: (names.append(path.name), read_film(path))[1])
    return names


def audit(root: Path, out: str = "out", judge: FakeJudge | None = None, **settings: object) -> ArchiveAudit:
    return audit_archive(root, root.parent / out, Settings(**settings), ChestRecogniser(), judge)  # type: ignore[arg-type]


def same(root: Path, one: str, other: str) -> bool:
    """Whether two audits left the same index, page and picture."""
    index = [pl.read_parquet(root.parent / out / "index.parquet") for out in (one, other)]
    return index[0].equals(index[1]) and all(
        (root.parent / one / name).read_bytes() == (root.parent / other / name).read_bytes()
        for name in ("report.md", "report.png")
    )


def kept(root: Path, out: str = "out") -> list[Path]:
    return sorted((root.parent / out / "looks").glob("*.npz"))


def test_a_killed_audit_goes_on_and_ends_as_if_nothing_had_been(root: Path, opened: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIE, str(root), str(root.parent / "out")], cwd=ROOT, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL
    assert not (root.parent / "out" / "index.parquet").exists()
    assert len(kept(root)) == 2
    found = audit(root)
    assert found.looks.reused == 12
    assert sorted(opened) == [f"{at:02}.png" for at in range(12, 21)]
    audit(root, "whole")
    assert same(root, "out", "whole")


def test_a_second_run_measures_nothing_and_says_the_same(root: Path, opened: list[str]) -> None:
    first = audit(root)
    assert (first.looks.reused, len(opened)) == (0, 21)
    opened.clear()
    second = audit(root)
    assert (second.looks.reused, opened) == (21, [])
    audit(root, "whole")
    assert same(root, "out", "whole")


def test_other_limits_and_another_rule_measure_nothing_again(root: Path, opened: list[str]) -> None:
    judge, other = FakeJudge(), FakeJudge()
    other.rule, other.place = "any_no", 0
    audit(root, judge=judge)
    opened.clear()
    strict = audit(root, judge=other, calibrate=1.0, false_rejects=0.3)
    assert opened == []
    assert strict.kept < strict.looks.reused
    other.questions = ("Bright?", "Another?")
    assert audit(root, judge=other).looks.reused == 0


def test_a_film_that_changed_is_measured_again_with_its_part_alone(root: Path, opened: list[str]) -> None:
    audit(root)
    opened.clear()
    (root / "07.png").write_bytes((root / "18.png").read_bytes())
    assert audit(root).looks.reused == 15
    assert set(opened) >= {f"{at:02}.png" for at in range(6, 12)}
    audit(root, "whole")
    assert same(root, "out", "whole")


@pytest.mark.usefixtures("opened")
def test_the_worst_films_keep_their_pictures_when_worse_ones_are_mended(root: Path) -> None:
    for at in range(6):
        (root / f"{at:02}.png").write_bytes((root / "18.png").read_bytes())
    audit(root)
    for at in range(6):
        cv2.imwrite(str(root / f"{at:02}.png"), draw_film(Case("a", 99, at, ()), 128)[0])
    audit(root)
    audit(root, "whole")
    assert same(root, "out", "whole")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:300]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("not ours"),
        lambda path: path.write_bytes(path.read_bytes()[:200] + b"\0" * 40 + path.read_bytes()[240:]),
        lambda path: np.savez(path, facts=np.frombuffer(json.dumps({}).encode(), np.uint8)),
    ],
    ids=["torn", "empty", "foreign", "flipped", "of another kind"],
)
def test_a_part_that_cannot_be_read_is_named_and_measured_again(
    root: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object]
) -> None:
    audit(root)
    spoil(kept(root)[1])
    assert audit(root).looks.reused in (15, 18)  # the last part holds three films
    assert kept(root)[1].name in caplog.text
    audit(root, "whole")
    assert same(root, "out", "whole")


@pytest.mark.usefixtures("opened")
def test_a_full_disk_is_said_and_leaves_no_half_of_a_part(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(AuditError, match="No space left on device; make room"):
        audit(root)
    assert list((root.parent / "out" / "looks").iterdir()) == []
