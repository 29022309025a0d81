"""A pipeline that cannot be loaded is known from its folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.contracts import ModelNotFound
from models.diffusion.weights import BUILTIN, find_pipeline, sides_of, wrong_pipeline


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pipeline that ships with us, where it may be broken."""
    return Path(shutil.copytree(BUILTIN["builtin:phantom"], tmp_path / "model"))


def index_with(folder: Path, **parts: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({k: v for k, v in (json.loads(path.read_text()) | parts).items() if v != "gone"}))


def only_fp16(folder: Path) -> None:
    for path in list(folder.glob("*/*.safetensors")):
        path.rename(path.with_name(path.name.replace(".safetensors", ".fp16.safetensors")))


def cut(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "only fp16": (only_fp16, "but the variant fp16"),
    "cut off": (cut, "diffusion_pytorch_model.safetensors is cut off"),
    "no scheduler folder": (
        lambda f: shutil.rmtree(f / "scheduler"),
        "scheduler is missing, which model_index.json names",
    ),
    "no scheduler file": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(),
        "scheduler_config.json is missing",
    ),
    "no scheduler named": (lambda f: index_with(f, scheduler="gone"), "names no scheduler"),
    "no feature extractor": (
        lambda f: index_with(f, feature_extractor=["transformers", "CLIPImageProcessor"]),
        "feature_extractor is missing, which model_index.json names",
    ),
    "no tokenizer": (lambda f: (f / "tokenizer/tokenizer.json").unlink(), "holds no tokenizer"),
    "no configuration": (lambda f: (f / "vae/config.json").unlink(), "vae/config.json is missing"),
    "a pointer": (
        lambda f: (f / "text_encoder/model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "model.safetensors is a Git LFS pointer",
    ),
    "no index": (lambda f: (f / "model_index.json").unlink(), "model_index.json is missing"),
    "index no JSON": (lambda f: (f / "model_index.json").write_text("{"), "model_index.json is no JSON"),
    "another class": (lambda f: index_with(f, _class_name="FluxPipeline"), "_class_name is 'FluxPipeline'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_folder_that_cannot_be_loaded_says_why(case: str, folder: Path) -> None:
    damage, told = BROKEN[case]
    damage(folder)
    wrong = wrong_pipeline(folder)
    assert any(told in line for line in wrong), wrong
    with pytest.raises(ModelNotFound, match="save_pretrained"):
        find_pipeline(str(folder))


def test_what_ships_is_whole(folder: Path) -> None:
    assert wrong_pipeline(folder) == []
    assert find_pipeline(str(folder)) == folder


def test_a_part_that_drawing_leaves_out_may_be_missing(folder: Path) -> None:
    index_with(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert wrong_pipeline(folder) == []


@pytest.mark.parametrize(
    ("vae", "transformer", "sides"),
    [
        ({"block_out_channels": [1, 2, 3, 4]}, None, 8),
        ({"block_out_channels": [1, 2, 3, 4]}, {"patch_size": 2}, 16),
        ({"encoder_block_out_channels": [1] * 6}, {"patch_size": 1}, 32),
        ({}, {"patch_size": "2"}, 8),
    ],
)
def test_sides_follow_from_the_configuration(
    vae: dict[str, Any], transformer: dict[str, Any] | None, sides: int, tmp_path: Path
) -> None:
    for name, said in (("vae", vae), ("transformer", transformer)):
        (tmp_path / name).mkdir()
        if said is not None:
            (tmp_path / name / "config.json").write_text(json.dumps(said))
    assert sides_of(tmp_path) == sides
