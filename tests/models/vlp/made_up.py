"""Small open_clip models of every kind, in folders that a test makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.compat import torchvision_ready
from models.vlp.model import create

SIDE = 64
CLIP_TEXT = {"context_length": 16, "vocab_size": 49_408, "width": 32, "heads": 2, "layers": 2}
TRANSFORMER: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": SIDE, "layers": 1, "width": 32, "head_width": 16, "patch_size": 32},
    "text_cfg": CLIP_TEXT,
}
RESIDUAL: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": SIDE, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
    "text_cfg": CLIP_TEXT,
}
TIMM: dict[str, Any] = {
    "embed_dim": 16,
    "custom_text": True,
    "vision_cfg": {"image_size": SIDE, "timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear"},
    "text_cfg": CLIP_TEXT,
}
LAYER_NORM: dict[str, Any] = TIMM | {
    "vision_cfg": {"image_size": SIDE, "timm_model_name": "test_convnext", "timm_pool": "avg", "timm_proj": "linear"},
}
"""Without batch norm, so that no pair knows of the others that it is computed with."""
WORDS = ("left", "right", "pleural", "effusion", "cardio", "##mega", "##ly", "no", ".", "##s")


def model_folder(folder: Path, config: dict[str, Any]) -> str:
    """Write the configuration of an open_clip model; the name that open_clip knows it by."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    return f"local-dir:{folder}"


def word_pieces(folder: Path) -> None:
    """Write a tokenizer of BERT's kind, which knows `WORDS`."""
    torchvision_ready()
    from transformers import BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: number for number, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS))}
    BertTokenizer(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)


def tiny_bert(folder: Path, seed: int = 0, layers: int = 2) -> None:
    """Write a BERT of random weights that knows `WORDS`, as transformers saves it."""
    import torch

    torchvision_ready()
    from transformers import BertConfig, BertModel

    word_pieces(folder)
    config = BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=32, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=24,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)


def open_clip_folder(folder: Path, config: dict[str, Any] = TRANSFORMER, seed: int = 0) -> Path:
    """Write an open_clip model of random weights as its authors publish them."""
    name = model_folder(folder, config)
    preprocess = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}
    written = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    (folder / "open_clip_model.safetensors").write_bytes(create(name, seed).to_bytes())
    return folder


def hf_clip_folder(folder: Path, seed: int = 0) -> Path:
    """Write a CLIP of random weights as transformers saves it, with a tokenizer of BERT's kind."""
    import torch

    word_pieces(folder)
    from transformers import CLIPConfig, CLIPModel

    common = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    end = 3  # [SEP]
    text = {**common, "vocab_size": 5 + len(WORDS), "max_position_embeddings": 12, "eos_token_id": end}
    vision = {**common, "image_size": SIDE, "patch_size": 32}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    return folder
