"""The layers hold, and pure code imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "vllm", "diffusers", "transformers", "open_clip", "prefect", "mlflow", "ray", "matplotlib")


def test_the_import_contracts_hold() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "modules",
    [
        "tasks.recipe.profile, tasks.recipe.fingerprint",
        "tasks.plan.plan",
        "models.contracts, models.registry, models.phantom.vocabulary, models.phantom.bank",
        "storage.records",
    ],
)
def test_pure_code_imports_nothing_heavy(modules: str) -> None:
    code = f"import sys, {modules}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
