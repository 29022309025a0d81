"""`synth plan` shows what a profile would make, and loads no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.tags import advance_latest

FAST = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Exit code and output of the command on a store in a folder."""
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["plan", "-p", FAST, "-s", f"storage.root={tmp_path / 'store'}", *words])
        return result.exit_code, result.output

    return run


def test_it_shows_the_size_the_bank_and_the_first_samples(plan: Callable[..., tuple[int, str]]) -> None:
    code, out = plan("--samples", "2")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "fast-cxr/v-27e7aebfbc: 24 pairs in 3 shards"
    assert lines[1].startswith("bank: ")
    assert [line.split(":")[0] for line in lines[-2:]] == ["27e7aebf-00000000", "27e7aebf-00000001"]


def test_an_estimate_goes_by_what_is_said(plan: Callable[..., tuple[int, str]]) -> None:
    code, out = plan("-s", "pairs=36000", "--estimate", "--seconds-per-pair", "0.5")
    assert code == 0
    assert "estimate: 5.0 machine hours at 0.50 s a pair, 0.40 at cost_per_hour 0.08" in out


def test_an_estimate_goes_by_the_latest_version_and_needs_one(
    plan: Callable[..., tuple[int, str]], tmp_path: Path, publish: Callable[..., DatasetRef]
) -> None:
    code, out = plan("--estimate")
    assert code == 2
    assert "fast-cxr: no version in" in out
    store = LocalStore(tmp_path / "store")
    advance_latest(store, publish(store, dataset="fast-cxr"))
    code, out = plan("--estimate")
    assert code == 2, "a version that says no seconds is none to go by"
