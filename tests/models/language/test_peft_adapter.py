"""A PEFT adapter is found, refused where it is none, and changes what a real engine writes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.contracts import ModelNotFound, ReportRequest
from models.language.options import VllmOptions
from models.language.peft_adapter import find_peft
from models.language.vllm_engine import VllmReportGenerator

RANK = 8
ROOT = Path(__file__).parents[3]
# In a process of its own: an engine that ends takes the state of every other engine of its process with it.
WRITE = """
import json, pickle, sys
from pathlib import Path
from models.language.options import VllmOptions
from models.language.vllm_engine import VllmReportGenerator

writer = VllmReportGenerator(VllmOptions(decoding="free", lora=sys.argv[1], max_model_len=1024, max_tokens=24))
drafts = writer.generate(pickle.loads(Path(sys.argv[2]).read_bytes()))
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
    found = find_peft(str(write_adapter(tmp_path / "lora", 16, 1, 0.1)))
    assert (found.rank, len(found.sha256)) == (RANK, 64)
    assert found.engine["max_lora_rank"] == RANK


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_without_an_adapter_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    (write_adapter(tmp_path / "lora", 16, 1, 0.1) / missing).unlink()
    with pytest.raises(ModelNotFound, match=f"no {missing}"):
        find_peft(str(tmp_path / "lora"))


def test_an_adapter_without_a_rank_is_refused(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "lora", 16, 1, 0.1)
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelNotFound, match="r is None"):
        find_peft(str(folder))


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
    command = [sys.executable, "-c", WRITE, str(folder), str(tmp_path / "requests")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    adapted, card = json.loads(done.stdout.splitlines()[-1])
    assert all(one != draft.findings for one, draft in zip(adapted, plain.generate(requests), strict=True))
    assert card["lora_sha256"] == find_peft(str(folder)).sha256
