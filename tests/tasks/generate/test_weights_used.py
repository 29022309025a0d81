"""All that a recipe's models load is found with its hashes, also what nobody named, and frozen with the version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.diffusion.weights import BUILTIN
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.versions import VersionPlace
from tasks.generate.weights_used import weights_used
from tasks.publish.dataset import RecipeChanged, find_version, open_version
from tasks.publish.frozen_weights import WeightsChanged
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_published
from tasks.recipe.schema import Recipe
from tests.making import fast_recipe

REF = DatasetRef("films", "mine")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def begin(store: LocalStore, recipe: Recipe) -> None:
    open_version(VersionPlace(store, REF), dump_published(recipe), fingerprint(recipe), weights_used(recipe))


def drawn_with(model: Path | str, *changes: str) -> Recipe:
    options = f"images.generator.options={{model: '{model}'}}"
    return fast_recipe("images.generator.kind=diffusers", options, "version=mine", *changes)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A pipeline's folder that may be changed."""
    return Path(shutil.copytree(BUILTIN["builtin:phantom"], tmp_path / "weights"))


def test_shipped_packaged_and_default_weights_are_found() -> None:
    gates = "[{kind: film_ensemble, threshold: 0.5}, {kind: agreement, threshold: 0.1}]"
    recipe = drawn_with("builtin:phantom", "reports.generator.kind=vllm", f"image_gates={gates}")
    found = weights_used(recipe)
    assert "unet/diffusion_pytorch_model.safetensors" in found["images.generator.options.model"]
    assert [name.endswith(".gguf") for name in found["reports.generator.options.model"]] == [True]
    assert set(found["reports.generator.options.adapter"]) == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "training.json",
    }
    assert set(found["image_gates.1.options.folder"]) == {"agreement.safetensors", "agreement.json"}
    assert set(found["image_gates.0.options.calibration"]) == {"ensemble.json"}
    members = {name for option, files in found.items() if option.startswith("image_gates.0.") for name in files}
    assert {"bad-bank.safetensors", "defects.safetensors"} <= members
    assert weights_used(fast_recipe()) == {}, "templates and the renderer have no weights"


def test_a_model_that_is_yet_to_be_had_is_left_out() -> None:
    assert "images.generator.options.model" not in weights_used(drawn_with("nobody/no-such-model"))
    assert "images.generator.options.model" not in weights_used(drawn_with("./no/such/folder"))


def test_other_shipped_weights_under_the_same_name_are_refused_on_resume_with_the_file(
    local_store: LocalStore, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = drawn_with("builtin:phantom")
    begin(local_store, recipe)
    begin(local_store, recipe)
    monkeypatch.setitem(BUILTIN, "builtin:phantom", weights)
    begin(local_store, recipe)
    (weights / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"retrained")
    (weights / "unet" / "extra.safetensors").write_bytes(b"more")
    (weights / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(WeightsChanged) as raised:
        begin(local_store, recipe)
    told = str(raised.value)
    assert "images.generator.options.model: vae/diffusion_pytorch_model.safetensors has other contents" in told
    assert "unet/extra.safetensors is new" in told
    assert "scheduler/scheduler_config.json is missing" in told
    assert "choose another name for the version" in told


def test_other_weights_in_the_same_folder_are_refused_on_resume_with_the_file(
    local_store: LocalStore, weights: Path
) -> None:
    recipe = drawn_with(weights)
    begin(local_store, recipe)
    (weights / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"retrained")
    told = r"(?s)with another recipe.*these weights differ:\n.*vae/diffusion_pytorch_model\.safetensors has other"
    with pytest.raises(RecipeChanged, match=told):
        find_version(
            VersionPlace(local_store, REF), dump_published(recipe), fingerprint(recipe), lambda: weights_used(recipe)
        )
    with pytest.raises(RecipeChanged, match=told):
        begin(local_store, recipe)


def test_a_version_that_was_begun_before_its_weights_were_frozen_freezes_them_when_it_is_resumed(
    local_store: LocalStore,
) -> None:
    recipe = drawn_with("builtin:phantom")
    open_version(VersionPlace(local_store, REF), dump_published(recipe), fingerprint(recipe))
    assert local_store.head(REF.weights) is None
    begin(local_store, recipe)
    assert local_store.head(REF.weights) is not None


def test_frozen_hashes_show_no_place_of_the_machine(local_store: LocalStore, weights: Path) -> None:
    begin(local_store, drawn_with(weights))
    assert str(weights.parent) not in local_store.get(REF.weights).decode()
