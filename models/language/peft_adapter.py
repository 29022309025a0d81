"""A LoRA adapter in PEFT's layout, which vLLM applies while it runs; for any model that vLLM can adapt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.contracts import ModelNotFound
from models.weight_hashes import sha256_file

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True, slots=True)
class PeftAdapter:
    """An adapter's folder, its rank and the SHA-256 of its weights."""

    folder: Path
    rank: int
    sha256: str

    @property
    def engine(self) -> dict[str, Any]:
        """What ``vllm.LLM`` needs to take it; one slot more than adapters, as vLLM's CPU kernels mistake the last."""
        return {"enable_lora": True, "max_lora_rank": self.rank, "max_loras": 2}

    def request(self) -> Any:
        """What goes with every call."""
        from vllm.lora.request import LoRARequest

        return LoRARequest("adapter", 1, str(self.folder))


def find_peft(spec: str) -> PeftAdapter:
    """The adapter in the folder `spec`; safetensors only.

    Raises:
        ModelNotFound: a file of it is missing, or its configuration names no rank.
    """
    folder = Path(spec).expanduser().resolve()
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelNotFound(
                f"no {name} in {folder}: reports.generator.options.lora is a folder that PEFT's save_pretrained wrote"
            )
    rank = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("r")
    if not isinstance(rank, int) or rank < 1:
        raise ModelNotFound(f"{folder / CONFIG}: r is {rank!r}; it is the rank of the adapter, such as 8")
    return PeftAdapter(folder, rank, sha256_file(folder / WEIGHTS))
