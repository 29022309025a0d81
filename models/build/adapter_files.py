"""Write an adapter the same to the byte on every machine, with the facts of its training beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.language.adapter import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

TRAINING = "training.json"


def report_lora(rank: int, alpha: float, layers: range, targets: tuple[str, ...], base: str) -> Any:
    """A `peft.LoraConfig` for the given linear layers of a causal language model."""
    from models.compat import torchvision_ready

    torchvision_ready()
    from peft import LoraConfig

    return LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=list(targets), layers_to_transform=list(layers),  # pyright: ignore
        layers_pattern="layers", bias="none", task_type="CAUSAL_LM", base_model_name_or_path=base,
        inference_mode=True,
    )  # fmt: skip


def write_adapter(folder: Path, config: Any, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write `tensors` as bfloat16 with the configuration, as PEFT's ``save_pretrained`` lays them out.

    Args:
        folder: made where it is missing.
        config: a `peft.LoraConfig`.
        tensors: by PEFT's names, as `peft.get_peft_model_state_dict` gives them.
        facts: how it was trained.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    halved = {name: tensors[name].detach().cpu().to(torch.bfloat16).contiguous() for name in sorted(tensors)}
    save_file(halved, folder / WEIGHTS, {"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes files that only their owner may read
    written = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    (folder / CONFIG).write_text(json.dumps(written, indent=2, sort_keys=True, default=str) + "\n")
    (folder / TRAINING).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
