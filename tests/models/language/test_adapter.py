"""An adapter is found, refused where it is none, and merged once and exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from models.compat import torchvision_ready
from models.contracts import ModelNotFound
from models.language.adapter import CONFIG, SHIPPED, WEIGHTS, Adapter, find_adapter, merge
from tests.models.language.random_adapter import RANK, write_adapter


def test_an_adapter_is_known_by_its_rank_and_hash(tmp_path: Path) -> None:
    found = find_adapter(str(write_adapter(tmp_path / "lora", 16, 1, 0.1)))
    assert (found.rank, len(found.sha256)) == (RANK, 64)
    assert found.engine["max_lora_rank"] == RANK


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_without_an_adapter_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    (write_adapter(tmp_path / "lora", 16, 1, 0.1) / missing).unlink()
    with pytest.raises(ModelNotFound, match=f"no {missing}"):
        find_adapter(str(tmp_path / "lora"))


def test_an_adapter_without_a_rank_is_refused(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "lora", 16, 1, 0.1)
    (folder / CONFIG).write_text('{"peft_type": "LORA"}', encoding="utf-8")
    with pytest.raises(ModelNotFound, match="r is None"):
        find_adapter(str(folder))


@pytest.mark.parametrize(
    "config", ["{broken", "[]", '{"peft_type": "IA3", "r": 8}', '{"peft_type": "LORA", "r": 4096}']
)
def test_a_configuration_of_something_else_is_refused_by_name(tmp_path: Path, config: str) -> None:
    folder = write_adapter(tmp_path / "lora", 16, 1, 0.1)
    (folder / CONFIG).write_text(config, encoding="utf-8")
    with pytest.raises(ModelNotFound, match=r"adapter_config\.json"):
        find_adapter(str(folder))


def test_an_adapter_of_version_0_1_is_told_how_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "adapter.safetensors").write_bytes(b"old")
    with pytest.raises(ModelNotFound, match=rf"python -m models\.build\.convert_adapter {tmp_path} NEW_FOLDER"):
        find_adapter(str(tmp_path))


@pytest.mark.parametrize(("rank", "slots"), [(1, 1), (2, 8), (8, 8), (24, 32)])
def test_the_engine_is_given_a_rank_that_it_has_kernels_for(rank: int, slots: int) -> None:
    assert Adapter(SHIPPED, rank, "").engine["max_lora_rank"] == slots


def tiny_llama(dtype: torch.dtype = torch.bfloat16, layers: int = 2) -> Any:
    """A language model of the packaged one's family, small enough to merge in a moment."""
    torchvision_ready()
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=2,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    return model.to(dtype)


def test_merged_weights_are_the_sum_rounded_once(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "lora", 16, 2, 0.3)
    parts, plain = load_file(folder / WEIGHTS), tiny_llama()
    merged = merge(tiny_llama(), find_adapter(str(folder)))
    assert type(merged) is type(plain)
    assert merged.state_dict().keys() == plain.state_dict().keys()
    for name, weight in plain.state_dict().items():
        expected = weight
        if name.endswith("o_proj.weight"):
            a, b = (parts[f"base_model.model.{name.removesuffix('weight')}lora_{part}.weight"] for part in "AB")
            expected = (weight.float() + b @ a).to(torch.bfloat16)
            assert not torch.equal(expected, weight)
        assert torch.equal(merged.state_dict()[name], expected), name


def test_an_adapter_for_another_model_is_refused(tmp_path: Path) -> None:
    for name, width, layers in (("wide", 24, 2), ("deep", 16, 3)):
        folder = write_adapter(tmp_path / name, width, layers, 0.1)
        with pytest.raises(ValueError, match=f"{name} is for another model"):
            merge(tiny_llama(), find_adapter(str(folder)))


def test_the_shipped_adapter_is_small_and_complete() -> None:
    found = find_adapter("builtin")
    assert (found.folder, found.rank) == (SHIPPED, 8)
    assert found.weights.stat().st_size <= 4 * 2**20
    assert {path.name for path in SHIPPED.iterdir()} == {WEIGHTS, CONFIG, "training.json", "README.md"}
