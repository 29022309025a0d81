"""Adapters of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK = 8


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
