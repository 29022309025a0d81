"""An adapter is found, refused where it is none, merged once and exactly, and changes what a real engine writes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.compat import torchvision_ready
from models.contracts import ModelNotFound, ReportRequest
from models.language.adapter import CONFIG, SHIPPED, WEIGHTS, Adapter, find_adapter, merge
from models.language.options import VllmOptions
from models.language.vllm_engine import VllmReportGenerator

RANK = 8
ROOT = Path(__file__).parents[3]
# In a process of its own: an engine that ends takes the state of every other engine of its process with it.
WRITE = """
import json, pickle, sys
from pathlib import Path
from models.language.options import VllmOptions
from models.language.vllm_engine import VllmReportGenerator

model, adapter, requests = sys.argv[1:]
options = VllmOptions(model=model, decoding="free", adapter=adapter, max_model_len=1024, max_tokens=24)
writer = VllmReportGenerator(options)
drafts = writer.generate(pickle.loads(Path(requests).read_bytes()))
print(json.dumps([[draft.findings for draft in drafts], writer.card.details]))
"""


def write_adapter(folder: Path, width: int, layers: int, size: float) -> Path:
    """An adapter of every layer's output projection: random, and as strong as `size` says."""
    folder.mkdir()
    torch.manual_seed(3)
    config = {
        "peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "target_modules": ["o_proj"], "bias": "none",
        "task_type": "CAUSAL_LM", "base_model_name_or_path": "m",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    name = "base_model.model.model.layers.{}.self_attn.o_proj.lora_{}.weight"
    parts = {
        name.format(layer, part): torch.randn(shape) * size
        for layer in range(layers)
        for part, shape in (("A", (RANK, width)), ("B", (width, RANK)))
    }
    save_file(parts, folder / "adapter_model.safetensors")
    return folder


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


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_the_engine_writes_with_the_adapter(
    engine: VllmReportGenerator, requests_for: Callable[..., list[ReportRequest]], tmp_path: Path
) -> None:
    shape = json.loads((engine.weights.folder / "config.json").read_text(encoding="utf-8"))
    size, layers = int(shape["hidden_size"]), int(shape["num_hidden_layers"])
    folder = write_adapter(tmp_path / "lora", size, layers, 0.2)
    plain = VllmReportGenerator(VllmOptions(decoding="free", max_model_len=1024, max_tokens=24))
    plain.weights, plain.llm = engine.weights, engine.llm
    requests = requests_for(4)
    (tmp_path / "requests").write_bytes(pickle.dumps(requests))
    command = [sys.executable, "-c", WRITE, str(engine.weights.folder), str(folder), str(tmp_path / "requests")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    adapted, card = json.loads(done.stdout.splitlines()[-1])
    assert all(one != draft.findings for one, draft in zip(adapted, plain.generate(requests), strict=True))
    assert card["adapter_sha256"] == find_adapter(str(folder)).sha256
