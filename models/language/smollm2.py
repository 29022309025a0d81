"""Turn the packaged SmolLM2 GGUF into a safetensors folder that vLLM can load, adapter merged in."""

from __future__ import annotations

import json
from pathlib import Path

from models.compat import torchvision_ready
from models.language.adapter import Adapter, merge
from models.language.files import Weights, build_once, find_gguf
from models.weight_hashes import model_cache, sha256_file, sha256_weights

LICENCE = "Apache-2.0"


def convert_package(package: str, adapter: Adapter | None = None) -> Weights:
    """Convert the GGUF of `package` once; the folder's name follows from the two files' SHA-256.

    Raises:
        ModelNotFound: the package is missing.
        ValueError: the adapter is for another model.
    """
    gguf = find_gguf(package)
    revision = sha256_file(gguf)
    key = revision[:12] + (f"-{adapter.sha256[:12]}" if adapter else "")
    folder = build_once(model_cache() / f"{package}-{key}", lambda draft: _convert(gguf, adapter, draft))
    return Weights(folder, gguf.stem, revision, sha256_weights(folder), LICENCE)


def load_dequantized(gguf: Path):
    """The model and its tokenizer from a GGUF file, in bfloat16."""
    torchvision_ready()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        gguf_file=gguf.name,
        quantization_config=GgufConfig(gguf.name, dequantize=True),
        dtype=torch.bfloat16,
    )
    return model, AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)


def _convert(gguf: Path, adapter: Adapter | None, draft: Path) -> None:
    model, tokenizer = load_dequantized(gguf)
    if adapter is not None:
        model = merge(model, adapter)
    model.save_pretrained(draft, safe_serialization=True)
    tokenizer.save_pretrained(draft)
    source = {"gguf": gguf.name, "adapter": adapter and adapter.folder.name}
    (draft / "source.json").write_text(json.dumps(source, indent=1))
