"""`synth tasks` says for every evaluation task what it needs, what the store has of it, and where the rest is had."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from flows.cli.app import app
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.manifest import write_manifest
from storage.records import Manifest
from tasks.evaluate.protocol import TASKS


def ingested(store: LocalStore, name: str, layout: str) -> None:
    """The manifest of a version that was made from an archive of that layout."""
    manifest = Manifest(
        dataset=name, version="v1", fingerprint=name, created=datetime(2026, 1, 1, tzinfo=UTC), asked=0, accepted=0,
        rejected=0, shards=[], models={"archive": {"kind": layout}}, rejected_by_gate={}, entity_counts={},
    )  # fmt: skip
    write_manifest(store, DatasetRef(name, "v1"), manifest)


def synth(root: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["tasks", "--root", str(root), *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_says_what_is_in_the_store_and_where_the_rest_is_had(tmp_path: Path) -> None:
    ingested(LocalStore(tmp_path), "rsna-test", "rsna")
    found = {task["kind"]: task for task in json.loads(synth(tmp_path, "--json"))}
    assert set(found) == set(TASKS)
    grounding = {each["name"]: each for each in found["grounding"]["datasets"]}
    assert found["grounding"]["needs"] == ["boxes or masks"]
    rsna, siim = grounding["RSNA Pneumonia Detection 2018"], grounding["SIIM-ACR Pneumothorax 2019"]
    assert (rsna["versions"], rsna["get"]) == (["rsna-test@v1"], "")
    assert siim["versions"] == []
    assert "https://www.kaggle.com" in siim["get"]
    assert "synth ingest siim:FOLDER" in siim["get"]
    assert "CheXpert" not in grounding
    reports = {each["name"] for each in found["retrieval"]["datasets"]}
    assert "MIMIC-CXR-JPG" in reports
    assert "VinDr-CXR" not in reports
    zero_shot = found["zero_shot"]
    assert zero_shot["options"] == {
        "prompts": "report", "rule": "normal", "group": None, "unlisted": "unknown"
    }  # fmt: skip
    assert zero_shot["allowed"]["rule"] == ["normal", "pair", "max"]
    assert zero_shot["named"]["zero-shot-label-pair"] == 1


def test_people_read_the_same(tmp_path: Path) -> None:
    shown = " ".join(synth(tmp_path).split())
    assert "grounding: Zero-shot grounding" in shown
    assert "needs boxes or masks" in shown
    assert "rule = normal (of normal, pair, max)" in shown
    assert shown.count("NIH ChestX-ray14") == 1, "a test set stands once, with the tasks that it serves"
