"""An address that MLflow cannot take is told with everything else, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.check.check import look_at

FAST = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("managed", ""),
        ("http://host:5000", ""),
        ("sqlite:////data/mlflow.db", ""),
        ("./mlruns", "tracking.uri: './mlruns' is a folder"),
        ("file:///data/mlruns", "tracking.uri: 'file:///data/mlruns' is a folder"),
        ("htpp://host", "tracking.uri: 'htpp://host' is no address"),
        ("sqlite://data/mlflow.db", "names no file"),
    ],
)
def test_an_address_is_looked_at(uri: str, words: str) -> None:
    _, report = look_at(FAST, [f"tracking.uri={uri}"], Path())
    assert len(report.problems) == bool(words)
    assert words in "".join(report.problems)
