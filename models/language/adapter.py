"""LoRA adapters in PEFT's layout: found, merged into a model's weights, or handed to vLLM, which applies them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.contracts import ModelNotFound
from models.weight_hashes import sha256_file

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
FORMER_WEIGHTS = "adapter.safetensors"
SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "report-adapter"
BUILTIN = "builtin"
_ENGINE_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's folder, its rank and the SHA-256 of its weights."""

    folder: Path
    rank: int
    sha256: str

    @property
    def weights(self) -> Path:
        """The file of its tensors."""
        return self.folder / WEIGHTS

    @property
    def engine(self) -> dict[str, Any]:
        """What ``vllm.LLM`` needs to take it; one slot more than adapters, as vLLM's CPU kernels mistake the last."""
        most = next(rank for rank in _ENGINE_RANKS if rank >= self.rank)
        return {"enable_lora": True, "max_lora_rank": most, "max_loras": 2}

    def request(self) -> Any:
        """What goes with every call to vLLM."""
        from vllm.lora.request import LoRARequest

        return LoRARequest("adapter", 1, str(self.folder))


def find_adapter(spec: str) -> Adapter:
    """The adapter that `spec` names: ``builtin`` is the shipped one, anything else a folder of PEFT's save_pretrained.

    Raises:
        ModelNotFound: a file of it is missing, or its configuration is none of a LoRA adapter.
    """
    folder = SHIPPED if spec == BUILTIN else Path(spec).expanduser().resolve()
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelNotFound(f"no {name} in {folder}: {_remedy(spec, folder)}")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind, rank = config.get("peft_type"), config.get("r")
    except (ValueError, AttributeError) as error:
        raise ModelNotFound(f"{folder / CONFIG} is no configuration of an adapter: {_remedy(spec, folder)}") from error
    if kind != "LORA":
        raise ModelNotFound(f"{folder / CONFIG}: peft_type is {kind!r}: only LORA adapters are taken")
    if not isinstance(rank, int) or not 1 <= rank <= _ENGINE_RANKS[-1]:
        raise ModelNotFound(f"{folder / CONFIG}: r is {rank!r}; it is the rank of the adapter, such as 8")
    return Adapter(folder, rank, sha256_file(folder / WEIGHTS))


def merge(model: Any, adapter: Adapter) -> Any:
    """`model` with the adapter's update in its weights, in the type that they have.

    The sum is made in float32 and rounded once.

    Raises:
        ValueError: the adapter was made for another model.
    """
    from models.compat import torchvision_ready

    torchvision_ready()
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    dtype = next(model.parameters()).dtype
    try:
        adapted = PeftModel.from_pretrained(model.float(), str(adapter.folder), torch_device="cpu")
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{adapter.folder} is for another model: {' '.join(str(error).split())[:300]}") from error
    held = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    with safe_open(str(adapter.weights), "pt") as file:
        strange = sorted(held.keys() ^ set(file.keys()))
    if strange:
        raise ValueError(f"{adapter.folder} is for another model: {strange[0]!r} is in only one of the two")
    merged: Any = adapted.merge_and_unload()
    return merged.to(dtype)


def _remedy(spec: str, folder: Path) -> str:
    if (folder / FORMER_WEIGHTS).is_file():
        return f"it is of version 0.1: convert it with `python -m models.build.convert_adapter {folder} NEW_FOLDER`"
    if spec == BUILTIN:
        return "it is part of the package: install it again, or set reports.generator.options.adapter to null"
    return "reports.generator.options.adapter is a folder that PEFT's save_pretrained wrote, builtin or null"
