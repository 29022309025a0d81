"""Look at a language model's folder before it is loaded."""

from __future__ import annotations

from pathlib import Path

from models.language.files import PACKAGE_PREFIX, find_gguf
from models.weight_files import TOKENIZERS, any_of, found, read_object, wrong_file, wrong_weights

_POOLED = ("max_position_embeddings", "n_positions", "max_seq_len")


def wrong_package(spec: str) -> list[str]:
    """What keeps the GGUF of ``package:name`` from being read.

    Raises:
        ModelNotFound: the package is not installed or holds none.
    """
    path = find_gguf(spec.removeprefix(PACKAGE_PREFIX))
    wrong = wrong_file(path)
    if wrong is None:
        with path.open("rb") as file:
            wrong = None if file.read(4) == b"GGUF" else f"{path} is no GGUF file: install its package again"
    return [wrong] if wrong else []


def wrong_folder(folder: Path, *, chats: bool = False, max_model_len: int | None = None) -> list[str]:
    """What keeps the model in `folder` from being loaded and, with `chats`, from being asked by a chat template.

    Args:
        folder: config.json, a tokenizer and safetensors, as transformers saves them.
        chats: it must have a tokenizer with a chat template.
        max_model_len: tokens that it is asked to take; more than it was made for is a fault.
    """
    config = folder / "config.json"
    wrong = found([config]) + wrong_weights(folder, "model")
    if chats:
        wrong += any_of(folder, TOKENIZERS, "tokenizer") or _without_template(folder)
    said = read_object(config)
    longest = next((said[name] for name in _POOLED if isinstance(said.get(name), int)), None)
    stretched = said.get("rope_scaling") or said.get("rope_parameters")
    if max_model_len is not None and longest is not None and not stretched and max_model_len > longest:
        wrong.append(f"{config}: the model takes {longest} tokens, max_model_len asks for {max_model_len}: lower it")
    return wrong


def _without_template(folder: Path) -> list[str]:
    settings = read_object(folder / "tokenizer_config.json")
    if settings.get("chat_template") or any((folder / f"chat_template.{kind}").exists() for kind in ("jinja", "json")):
        return []
    if (folder / "chat_templates").is_dir():
        return []
    return [f"{folder} holds no chat template, so it is no model that follows instructions: take its instruct version"]
