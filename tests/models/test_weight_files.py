"""Weights that cannot be loaded are known from their files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.weight_files import TOKENIZERS, any_of, read_object, wrong_file, wrong_weights

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_file({"a": np.zeros((4, 5), np.float32), "b": np.ones(3, np.float16)}, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_whole_weights_are_right(weights: Path) -> None:
    assert wrong_file(weights) is None
    assert wrong_weights(weights.parent, "model") == []


def test_weights_without_tensors_are_right(tmp_path: Path) -> None:
    save_file({}, tmp_path / "model.safetensors", {"format": "pt"})
    assert wrong_file(tmp_path / "model.safetensors") is None


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[:-1], r"is cut off: \d+ of \d+ bytes are there"),
        (lambda data: data[:20], "is cut off"),
        (lambda data: data + b"x", "is longer than its header says"),
        (lambda _: b"", "is empty"),
        (lambda _: POINTER.encode(), "is a Git LFS pointer, not the file itself: run `git lfs pull` there"),
        (lambda _: b"PK\x03\x04 a zip archive of pickles", "is no safetensors file"),
        (lambda _: b"12", "is no safetensors file"),
        (lambda _: (2**60).to_bytes(8, "little") + b"{}", "is no safetensors file"),
        (lambda _: (2).to_bytes(8, "little") + b"[]", "is no safetensors file"),
        (lambda _: (9).to_bytes(8, "little") + b'{"a": {}}', "is no safetensors file"),
        (lambda _: (200_000).to_bytes(8, "little") + b"[" * 200_000, "is no safetensors file"),
    ],
)
def test_damaged_weights_are_named(damage: Callable[[bytes], bytes], told: str, weights: Path) -> None:
    weights.write_bytes(damage(weights.read_bytes()))
    wrong = wrong_file(weights) or ""
    assert wrong.startswith(str(weights))
    assert re.search(told, wrong)


def test_a_missing_file_a_folder_and_broken_json_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{broken")
    assert wrong_file(tmp_path / "none.json") == f"{tmp_path / 'none.json'} is missing"
    assert "cannot be read" in (wrong_file(tmp_path) or "")
    assert "is no JSON" in (wrong_file(tmp_path / "config.json") or "")
    assert read_object(tmp_path / "config.json") == {}


def test_only_a_variant_is_no_weights(weights: Path) -> None:
    weights.rename(weights.with_name("model.fp16.safetensors"))
    assert (
        "but the variant fp16 (model.fp16.safetensors): save it without variant"
        in wrong_weights(weights.parent, "model")[0]
    )


def test_only_pickles_are_no_weights(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    told = "holds no *.safetensors (pytorch_model.bin would run code when loaded and is not used)"
    assert told in wrong_weights(tmp_path, "model")[0]


def test_shards_are_those_of_the_index(weights: Path) -> None:
    folder, index = weights.parent, weights.parent / "model.safetensors.index.json"
    weights.rename(folder / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    assert "holds no model.safetensors" in wrong_weights(folder, "model")[0]
    index.write_text(json.dumps({"weight_map": names}))
    assert (
        "names 2 shards, and 1 are missing, such as model-00002-of-00002.safetensors"
        in wrong_weights(folder, "model")[0]
    )
    index.write_text(json.dumps({"weight_map": {"a": names["a"]}}))
    assert wrong_weights(folder, "model") == []
    index.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))
    assert "names a file elsewhere" in wrong_weights(folder, "model")[0]
    index.write_text("{}")
    assert "names no shards" in wrong_weights(folder, "model")[0]


def test_any_kind_of_tokenizer_will_do(tmp_path: Path) -> None:
    assert (
        "holds no tokenizer (tokenizer.json or vocab.json with merges.txt"
        in any_of(tmp_path, TOKENIZERS, "tokenizer")[0]
    )
    (tmp_path / "vocab.json").write_text("{}")
    assert any_of(tmp_path, TOKENIZERS, "tokenizer")
    (tmp_path / "merges.txt").write_text("#")
    assert any_of(tmp_path, TOKENIZERS, "tokenizer") == []
    (tmp_path / "tokenizer.json").write_text(POINTER)
    assert "Git LFS pointer" in any_of(tmp_path, TOKENIZERS, "tokenizer")[0]
