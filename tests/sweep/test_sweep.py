"""Whatever a file, a store or a bank holds: one clear line, nothing written, no hang, bounded memory.

`SYNTHCXR_TESTS=full` runs every case under every command that reads it; a sample of them is run otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.counts import FULL
from tests.sweep.corpus import corpus
from tests.sweep.world import build_store

ROOT = Path(__file__).parents[2]
COLUMNS = ("hung", "traced", "unclear", "taken", "wrote", "over memory", "raw control characters")


def table(results: list[dict[str, Any]]) -> str:
    """What came of every kind: commands tried, ended clearly, and not."""
    kinds = dict.fromkeys(result["kind"] for result in results)
    lines: list[tuple[str, ...]] = [("kind", "cases", "tried", "clear", *COLUMNS)]
    for kind in (*kinds, "all"):
        some = [result for result in results if kind in (result["kind"], "all")]
        cases = len({(result["kind"], result["case"]) for result in some})
        faults = Counter(fault for result in some for fault in result["faults"])
        clear = sum(not result["faults"] for result in some)
        lines.append((kind, *map(str, (cases, len(some), clear, *(faults[name] for name in COLUMNS)))))
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def test_the_corpus_is_large_and_always_the_same(tmp_path: Path) -> None:
    build_store(tmp_path)
    cases = corpus(tmp_path)
    assert len(cases) >= 300
    assert [case.name for case in corpus(tmp_path)] == [case.name for case in cases]
    assert len({(case.kind, case.name) for case in cases}) == len(cases)
    assert {"profile", "bank", "manifest", "tag", "recipe", "tar"} <= {case.kind for case in cases}


@pytest.mark.timeout(7200 if FULL else 600)
def test_no_malformed_thing_ends_in_more_than_one_clear_line(tmp_path: Path) -> None:
    bounds = ["0", "0", "0"] if FULL else ["12", "2", os.environ.get("SYNTHCXR_SWEEP_SEED", "1")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep.runner", str(tmp_path), *bounds],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((tmp_path / "results.json").read_text())
    print(f"\n{table(results)}")
    wrong = [result for result in results if result["faults"]]
    shown = "\n".join(
        f"{', '.join(result['faults'])}: {result['kind']} ({result['case']}) under `synth {result['command']}`, "
        f"exit code {result['code']}: {result['said'][-400:]}"
        for result in wrong[:40]
    )
    assert not wrong, f"{len(wrong)} of {len(results)}\n{shown}\n{table(results)}"
