"""Write four reports with a small random model on an engine of so many processes, and print them as JSON.

    python -m tests.models.language.tensor_parallel FOLDER SIZE

A script of its own: the engine's processes start by importing the main module, which repairs torchvision for them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from models.compat import torchvision_ready

torchvision_ready()


def write_model(folder: Path) -> str:
    """Save a random Llama of two layers and four heads with the packaged model's tokenizer, once."""
    import shutil

    import torch
    from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM

    from models.language.vllm_engine import VllmReportGenerator

    if folder.exists():
        return str(folder)
    source = VllmReportGenerator().weights.folder
    words = int(AutoConfig.from_pretrained(source).vocab_size)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=words, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, bos_token_id=1, eos_token_id=2, tie_word_embeddings=True,
        )
    ).save_pretrained(folder)  # fmt: skip
    for file in source.iterdir():
        if not (folder / file.name).exists() and file.suffix != ".safetensors":
            shutil.copy(file, folder)
    return str(folder)


def main(folder: Path, size: int) -> None:
    """Write and print."""
    from models.contracts import EntityType, Mention, ReportRequest
    from models.language.options import VllmOptions
    from models.language.vllm_engine import VllmReportGenerator

    effusion = Mention("e", EntityType.ABNORMALITY, "left pleural effusion", "pleural effusion")
    options = VllmOptions(
        model=write_model(folder), decoding="free", dtype="float32", max_model_len=1024, max_tokens=24,
        tensor_parallel_size=size,
    )  # fmt: skip
    writer = VllmReportGenerator(options)
    drafts = writer.generate([ReportRequest(f"s{n}", (effusion,), n) for n in range(4)])
    print(json.dumps([draft.findings for draft in drafts]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
