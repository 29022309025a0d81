"""The whole factory by its command line, on real engines, small: what `make demo` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.findings.mention_text import core
from storage.local import LocalStore
from storage.manifest import find_manifest
from storage.versions import Version, published
from tasks.generate.images import read_mentions
from tests.storage.agreement import check_objects

SYNTH = str(Path(sys.executable).with_name("synth"))
SMALL = [
    "pairs=16",
    "shard_size=16",
    "sources.real.films=16",
    "sources.test.films=80",
    "sources.finetune.films=40",
    "sources.validation.films=40",
    "pretrain.samples_seen=128",
    "pretrain.batch=16",
    "pretrain.only=[real, synthetic, mixed, mixed_full, random, shuffled_synthetic]",
    "evaluate.bootstrap=50",
    "evaluate.tasks=[zero_shot, grounding, retrieval, probe-100, "
    "{kind: segmentation, options: {share: 0.5, steps: 2, rates: [0.002]}}]",
]


def synth(home: Path, *args: str, changes: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command line with a state folder of its own."""
    command = [SYNTH, *args, *(part for change in changes for part in ("--set", change))]
    env = {**os.environ, "SYNTHCXR_HOME": str(home)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=1500, check=False)


@pytest.mark.e2e
@pytest.mark.engine
@pytest.mark.timeout(1800)
def test_one_command_makes_a_dataset_models_and_a_table_and_a_second_makes_nothing(tmp_path: Path) -> None:
    changes = [*SMALL, f"storage.root={tmp_path / 'store'}"]
    first = synth(tmp_path / "home", "run", "--profile", "local", changes=changes)
    assert first.returncode == 0, first.stderr[-4000:]
    for told in ("pairs asked", "real", "synthetic", "mixed", "95% interval", "cost per accepted pair", ".html"):
        assert told in first.stdout, told

    store = LocalStore(tmp_path / "store")
    ref = next(ref for ref in published(store) if ref.name == "phantom-cxr")
    manifest = find_manifest(store, ref)
    assert manifest is not None
    check_objects(store, ref, manifest, deep=True)
    assert manifest.accepted >= 12
    rows = list(Version(store, ref, manifest).rows())
    assert {sample.key for sample in Version(store, ref, manifest).samples()} == {row.sample_id for row in rows}
    for row in rows:
        for mention in read_mentions(row):
            assert core(mention).lower() in row.findings.lower(), row.sample_id
    assert "<html" in store.get(ref.card("report.html")).decode()
    scores = next(info.key for info in store.list("runs/") if info.key.endswith("scores.json"))
    tables = json.loads(store.get(scores))["tables"]
    asked = ["zero_shot", "grounding", "retrieval", "probe", "segmentation"]
    assert [table["task"] for table in tables] == asked
    for table in tables:
        arms = {score["arm"] for score in table["scores"]}
        assert {"real", "synthetic", "mixed", "mixed_full", "random", "shuffled_synthetic"} <= arms

    before = {info.key: info for info in store.list("")}
    second = synth(tmp_path / "home", "run", "--profile", "local", changes=changes)
    assert second.returncode == 0, second.stderr[-4000:]
    after = {info.key: info for info in store.list("")}
    new = [key for key in after if key not in before and not key.startswith("mlflow/")]
    assert new == []
    assert all(after[key] == before[key] for key in before)
    assert "nothing is generated" in second.stderr
