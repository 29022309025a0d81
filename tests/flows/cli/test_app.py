"""The command line teaches, names mistakes, and starts without loading any model library."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app

HEAVY = ("torch", "vllm", "diffusers", "transformers", "open_clip", "prefect", "mlflow", "ray")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("command", ["run", "generate", "curate", "pretrain", "evaluate", "serve", "stop", "profiles"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_the_version_is_that_of_the_installed_package_and_needs_no_command() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output == f"synthcxr {importlib.metadata.version('synthcxr')}\n"


def test_a_checkout_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, "synthcxr of a checkout that is not installed\n")


def test_help_loads_no_model_library() -> None:
    code = f"import sys, flows.cli.app; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("pair=3", "pair: unknown key; did you mean pairs?"),
        ("images.batch=0", "images.batch"),
        ("storage.root=ftp://x", "storage.root"),
    ],
)
def test_a_typo_is_one_message_and_exit_code_two(change: str, told: str) -> None:
    result = CliRunner().invoke(app, ["run", "--set", change])
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output


def test_an_unknown_profile_is_named_with_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["run", "--profile", "locl"])
    assert result.exit_code == 2
    assert "did you mean local?" in result.output


def test_profiles_are_listed_with_what_they_are() -> None:
    result = CliRunner().invoke(app, ["profiles"])
    assert "local" in result.output
    assert "full" in result.output


def test_pairs_that_a_corpus_never_shows_are_learnt_from_its_reports(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for number, words in enumerate(("pleural effusion", "pneumothorax") * 10):
        (tmp_path / "reports" / f"{number}.txt").write_text(f"FINDINGS: There is a {words}.", encoding="utf-8")
    out = tmp_path / "pairs.parquet"
    result = CliRunner().invoke(app, ["audit", "pairs", str(tmp_path / "reports"), "--out", str(out), "--least", "4"])
    assert "1 pairs expected in 4 reports or more, 1 of them never seen" in result.output
    assert out.is_file()


@pytest.mark.parametrize("ports", [("99999", "5000"), ("4200", "0"), ("4200", "-1"), ("4300", "4300")])
def test_ports_that_no_server_can_take_are_refused_before_anything_starts(ports: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["serve", "--prefect-port", ports[0], "--mlflow-port", ports[1]])
    assert result.exit_code == 2
    assert "-port" in result.output
