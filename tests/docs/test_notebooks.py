"""The notebook runs from its first cell to its last on a version that the test makes."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.versions import VersionPlace
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe, load_recipe
from tests.making import Making

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "open_a_version.ipynb"
PROFILE = ROOT / "tests" / "profiles" / "fast.yaml"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store with a version of 24 pairs."""
    recipe = load_recipe(str(PROFILE), ["shard_size=12"], PROFILE.parent)
    store, ref = LocalStore(tmp_path / "store"), DatasetRef("fast-cxr", f"v-{fingerprint(recipe)[:10]}")
    open_version(VersionPlace(store, ref), dump_recipe(recipe), fingerprint(recipe))
    making = Making(recipe, store, ref)
    making.finish([making.run(shard) for shard in range(2)])
    return store


def test_it_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.timeout(600)
def test_it_runs_on_a_published_version(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_STORE", str(store.root))
    monkeypatch.setenv("SYNTHCXR_DATASET", "fast-cxr")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    told = [output["text"] for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output]
    assert told[0].startswith("fast-cxr/v-")
    assert "24 pairs accepted" in told[0]
    assert any(line.startswith("24 pairs in 2 shards") for line in told)
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    losses = [float(number) for number in re.findall(r"\d+\.\d+", told[-1])]
    assert len(losses) == 10
    assert losses[-1] < losses[0]
