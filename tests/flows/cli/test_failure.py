"""However a command fails, it is one line, an exit code, and a log file with the trace."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, NoReturn

import pytest
import typer
from typer.testing import CliRunner

from flows.cli import failure
from flows.cli.app import app
from flows.cli.explained import explained
from storage.errors import StoreError
from tasks.recipe.errors import RecipeError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own."""
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SYNTHCXR_DEBUG", raising=False)
    return tmp_path / "state"


def logs(home: Path) -> list[Path]:
    return sorted((home / "logs" / "commands").glob("*.log"))


def failing(error: Exception) -> Callable[[], NoReturn]:
    def run() -> NoReturn:
        raise error

    return run


def by_a_library() -> int:
    return int("abc")


def said_by_us() -> NoReturn:
    raise ValueError("arms: unknown arm 'reel'")


def ours(call: Callable[[], Any]) -> Callable[[], Any]:
    """The same function, as if a module of the product held it."""
    exec(compile("", "x", "exec"), made := {"__name__": "tasks.made"})
    return FunctionType(call.__code__, {**globals(), **made}, call.__name__, None, call.__closure__)


MENDED = {
    "a named error": (
        failing(StoreError("s3://films: no such bucket: make it")),
        "s3://films: no such bucket: make it",
    ),
    "several problems": (
        failing(RecipeError("profile 'x'", ["a: no", "b: no"])),
        "profile 'x' has 2 problems: a: no;",
    ),
    "a file": (failing(FileNotFoundError(2, "No such file or directory", "a.yaml")), "a.yaml: No such file or dir"),
    "a folder": (failing(IsADirectoryError(21, "Is a directory", b"out")), "out: Is a directory; a file is needed"),
    "an odd name": (failing(PermissionError(13, "Permission denied", "a\x1b[2J\udcff")), r"a\x1b[2J\xff: Permission"),
    "a full disk": (failing(OSError(28, "No space left on device")), "No space left on device; make room"),
    "a connection": (failing(ConnectionRefusedError("nobody answers")), "nobody answers"),
    "memory": (failing(MemoryError()), "the memory does not suffice"),
    "our own ValueError": (ours(said_by_us), "arms: unknown arm 'reel'"),
}
FAULTS = {
    "a library's ValueError": (ours(by_a_library), "ValueError: invalid literal for int()"),
    "a KeyError": (failing(KeyError("x")), "KeyError: 'x'"),
    "a RuntimeError": (failing(RuntimeError("odd\nlines")), "RuntimeError: odd; lines"),
    "recursion": (failing(RecursionError("maximum recursion depth exceeded")), "RecursionError: maximum"),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_the_user_can_mend_is_one_line_and_exit_code_two(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, told = MENDED[name]
    assert failure.run(["run", "--profile", "x.yaml"], command) == 2
    out, err = capsys.readouterr()
    (log,) = logs(home)
    assert out == ""
    assert err.startswith(f"error: {told}")
    assert err.endswith(f" (trace: {log})\n")
    assert err.count("\n") == 1
    assert "Traceback" in log.read_text()
    assert "synth run --profile x.yaml" in log.read_text()
    assert log.name.endswith(f"-run-{os.getpid()}.log")
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_program_asks_for_a_report(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command, told = FAULTS[name]
    assert failure.run(["run"], command) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: unexpected {told}")
    assert err.endswith(f"; please report this with {logs(home)[0]}\n")
    assert err.count("\n") == 1


def test_debug_shows_the_trace_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SYNTHCXR_DEBUG", "1")
    assert failure.run(["run"], failing(StoreError("no store"))) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "error: no store" in err.splitlines()[-1]
    monkeypatch.setenv("SYNTHCXR_DEBUG", "0")
    failure.run(["run"], failing(StoreError("no store")))
    assert "Traceback" not in capsys.readouterr().err


def test_the_option_debug_is_of_every_command() -> None:
    words = ["profiles", "--root"]
    assert "--debug" in CliRunner().invoke(app, ["--help"]).output
    result = CliRunner().invoke(app, ["--debug", "versions", "--root", "/dev/null"])
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "Traceback" not in CliRunner().invoke(app, ["versions", "--root", "/dev/null"]).stderr
    assert CliRunner().invoke(app, words).exit_code == 2


def test_passwords_are_kept_out_of_line_and_log(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = "https://me:secret@films.example"
    failure.run(["run", "--set", f"tracking.uri={address}"], failing(StoreError(f"{address} does not answer")))
    assert "secret" not in capsys.readouterr().err + logs(home)[0].read_text()


def test_a_bounded_number_of_logs_is_kept(home: Path) -> None:
    folder = home / "logs" / "commands"
    folder.mkdir(parents=True)
    for number in range(failure.KEPT + 5):
        (folder / f"20200101-0000{number:02d}-run-1.log").write_text("old")
    failure.run(["run"], failing(StoreError("no")))
    held = logs(home)
    assert len(held) == failure.KEPT
    assert "StoreError" in held[-1].read_text()


def test_a_state_folder_that_is_a_file_leaves_the_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text("no folder")
    assert failure.run(["run"], failing(StoreError("no store"))) == 2
    assert capsys.readouterr().err == "error: no store\n"


def test_what_prefect_logs_goes_to_the_log_file(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # handlers of earlier tests write to closed streams

    class PrefectConsoleHandler(logging.StreamHandler):
        pass

    handler = PrefectConsoleHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    try:

        def run() -> NoReturn:
            failure.keep_off_terminal()
            try:
                raise StoreError("no store")
            except StoreError:
                logging.getLogger("prefect.engine").exception("Encountered exception during execution")
                logging.getLogger("mlflow").error("with a trace", exc_info=True)
                logging.getLogger("storage.ledger").warning("three samples lost")
                raise

        failure.run(["run"], run)
    finally:
        root.removeHandler(handler)
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "three samples lost"
    assert err[1].startswith("error: no store")
    assert len(err) == 2
    kept = logs(home)[0].read_text()
    assert "ERROR prefect.engine: Encountered exception" in kept
    assert "ERROR mlflow: with a trace" in kept


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nope"], "No such command 'nope'. (`synth --help` explains it)"),
        (["run", "--pairs"], "No such option: --pairs (`synth run --help` explains it)"),
        (["verify"], "Missing argument 'NAME[@VERSION]'. (`synth verify --help` explains it)"),
        (["serve", "--mlflow-port", "x\x1b[2J"], "Invalid value for '--mlflow-port'"),
        (["versions", "--root", "ftp://x"], "Invalid value: --root: 'ftp://x' is neither 'managed'"),
    ],
)
def test_a_command_line_that_does_not_fit_is_one_line(words: list[str], told: str, home: Path) -> None:
    result = CliRunner().invoke(app, words, prog_name="synth")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {told}")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr
    assert logs(home) == []


def test_help_is_what_nothing_asks_for() -> None:
    assert "Usage:" in CliRunner().invoke(app, []).output


def test_an_exit_passes_through() -> None:
    with pytest.raises(typer.Exit), explained():
        raise typer.Exit(1)


def shell(words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -c 'from flows.cli.app import app; app(prog_name=\"synth\")' {words}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("profiles | true", 1),
        ("profiles >&-", 0),
        ("profiles >/dev/full", 2),
        ("versions --root /dev/null 2>&-", 2),
        ("versions --root /dev/null >&- 2>&-", 2),
    ],
)
def test_whatever_the_streams_are_there_is_no_trace(words: str, code: int) -> None:
    done = shell(words)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("\n") <= 1
    assert done.returncode == code or (words == "profiles | true" and done.returncode == 0)  # true may read in time


def test_a_plain_locale_shows_everything() -> None:
    done = shell("versions --root ./läuft-nicht…", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no versions in" in done.stdout
