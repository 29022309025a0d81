"""Weights that are named by a path count by their content; all others by their name."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from models import registry
from models.typed import options_model
from tasks.recipe.fingerprint import diff, fingerprint, leaves, sample_fields, version_of
from tasks.recipe.schema import Recipe
from tasks.recipe.weights import BUILT_IN, NAMING, content_of, named_by_path, names_absent
from tests.making import fast_recipe


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def pipeline(folder: Path, weights: bytes = b"weights") -> Path:
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "model.safetensors").write_bytes(weights)
    return folder


def marked(model: Path | str) -> str:
    return fingerprint(
        fast_recipe("images.generator.kind=diffusers", f"images.generator.options={{model: '{model}'}}")
    )


def test_a_folder_counts_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    first = marked(pipeline(tmp_path / "one"))
    assert marked(pipeline(tmp_path / "two")) == first
    (tmp_path / "two" / "unet" / "model.safetensors").write_bytes(b"WEIGHTS")
    assert marked(tmp_path / "two") != first
    (tmp_path / "one" / "unet" / "model.safetensors").rename(tmp_path / "one" / "unet" / "other.safetensors")
    assert marked(tmp_path / "one") != first, "a file's place in the folder counts"


def test_what_no_loader_reads_does_not_count(tmp_path: Path) -> None:
    first = marked(pipeline(tmp_path / "one"))
    (tmp_path / "one" / "README.md").write_text("what this is")
    (tmp_path / "one" / ".cache").mkdir()
    (tmp_path / "one" / ".cache" / "x.json").write_text("{}")
    assert marked(tmp_path / "one") == first


def test_a_single_file_counts_by_its_bytes_alone(tmp_path: Path) -> None:
    def gated(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        return fingerprint(memorisation("index", tmp_path / name))

    assert gated("a.safetensors", b"films") == gated("b.bin", b"films") != gated("c.safetensors", b"other films")


def memorisation(option: str, index: Path) -> Recipe:
    gate = f"{{kind: memorisation, threshold: 0.5, options: {{{option}: '{index}'}}}}"
    return fast_recipe(f"image_gates=[{gate}]")


def test_an_option_by_its_former_name_is_read_and_gives_the_same_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"films")
    former, now = (memorisation(option, tmp_path / "a.safetensors") for option in ("memory", "index"))
    assert former == now
    assert "image_gates.0.options.memory" in sample_fields(now), "the name that stored fingerprints were made with"
    stored = now.model_dump(mode="json")
    stored["image_gates"][0]["options"] = {"memory": str(tmp_path / "a.safetensors")}
    assert diff(stored, now) == []


def test_what_is_deep_in_the_options_counts_too(tmp_path: Path) -> None:
    (tmp_path / "bank").write_bytes(b"bank")
    member = f"{{bad_bank: {{bank: '{tmp_path / 'bank'}'}}}}"
    recipe = fast_recipe(f"image_gates=[{{kind: film_ensemble, threshold: 0.5, options: {{options: {member}}}}}]")
    assert named_by_path(leaves(recipe.model_dump(mode="json"))) == {
        "image_gates.0.options.options.bad_bank.bank": tmp_path / "bank"
    }


def test_what_ships_with_the_program_counts_by_its_name_even_where_a_file_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("image_gates=[{kind: film_ensemble, threshold: 0.5, options: {calibration: generated}}]",)
    before = fingerprint(fast_recipe(*changes)), marked("builtin:phantom")
    monkeypatch.chdir(tmp_path)
    for name in ("generated", "builtin:phantom"):
        (tmp_path / name).write_text("a file of that name")
    assert (fingerprint(fast_recipe(*changes)), marked("builtin:phantom")) == before


def test_the_model_of_a_server_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = fast_recipe("reports.generator.kind=openai", "reports.generator.options={model: llm}")
    before = version_of(recipe)
    monkeypatch.chdir(tmp_path)
    pipeline(tmp_path / "llm")
    assert version_of(recipe) == before


def test_weights_that_are_not_here_count_by_name_until_they_are(tmp_path: Path) -> None:
    before = marked(tmp_path / "later")
    recipe = fast_recipe(f"images.generator.options={{model: '{tmp_path / 'later'}'}}").model_dump(mode="json")
    assert names_absent(leaves(recipe))
    pipeline(tmp_path / "later")
    assert marked(tmp_path / "later") != before
    assert not names_absent(leaves(recipe))


def test_large_weights_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pipeline(tmp_path / "one")
    first = content_of("images", folder)
    monkeypatch.setattr("models.weight_hashes.sha256_file", lambda path: pytest.fail(f"{path} is read again"))
    assert content_of("images", folder) == first


def test_every_option_that_is_a_path_is_known_to_name_weights() -> None:
    tables = (registry.REPORT_GENERATORS, registry.IMAGE_GENERATORS, registry.GATES, registry.ENCODERS)
    for table in tables:
        for kind in table:
            for name, field in options_model(registry.factory_of(table, kind)).model_fields.items():
                if Path in get_args(field.annotation) or field.annotation is Path:
                    assert (field.alias or name) in NAMING, (kind, name)
    assert not BUILT_IN & NAMING
