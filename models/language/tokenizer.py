"""A model's tokenizer without the model: from its folder, the hub's cache, or the file that a package holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.compat import torchvision_ready
from models.contracts import ModelNotFound
from models.language.chat import control_tokens
from models.language.files import PACKAGE_PREFIX, find_gguf
from models.weight_hashes import model_cache

_CONTROL_TYPES = (3, 4)  # of a GGUF file's tokens: control, and defined by the user
_FILES = ("tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json")


def read_control_tokens(spec: str) -> frozenset[str]:
    """The control tokens of a model, read from its tokenizer's files; no weights are loaded.

    Args:
        spec: as `models.language.resolve.resolve` takes it; a hub id is looked up in the cache only.

    Raises:
        ModelNotFound: there is no tokenizer.
    """
    folder = _folder(spec)
    if folder is None:
        return control_tokens((text, True) for text in _gguf_tokens(find_gguf(spec.removeprefix(PACKAGE_PREFIX))))
    return control_tokens(pair for name in _FILES for pair in _added(folder / name))


def load_tokenizer(spec: str) -> Any:
    """The tokenizer of transformers for a model, with its chat template; no weights are loaded.

    Args:
        spec: see `read_control_tokens`.

    Raises:
        ModelNotFound: there is none.
    """
    folder = _folder(spec)
    torchvision_ready()
    from transformers import AutoTokenizer

    try:
        if folder is not None:
            return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        gguf = find_gguf(spec.removeprefix(PACKAGE_PREFIX))
        return AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"model {spec!r} has no tokenizer that can be read: {error}") from error


def _folder(spec: str) -> Path | None:
    """The folder with the tokenizer's files; None where only the packaged file has it."""
    if spec.startswith(PACKAGE_PREFIX):
        converted = sorted(model_cache().glob(f"{spec.removeprefix(PACKAGE_PREFIX)}-*/tokenizer.json"))
        return converted[0].parent if converted else None
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache

        names = _FILES if spec.count("/") == 1 and not spec.startswith(("/", ".", "~")) else ()
        found = [path for name in names if isinstance(path := try_to_load_from_cache(spec, name), str)]
        if not found:
            raise ModelNotFound(f"model {spec!r}: no such folder, and its tokenizer is not in the local hub cache")
        folder = Path(found[0]).parent
    if not any((folder / name).is_file() for name in _FILES):
        raise ModelNotFound(f"model folder {folder} has no tokenizer: one of {', '.join(_FILES)} is needed")
    return folder


def _added(path: Path) -> list[tuple[str, bool]]:
    """Added tokens in one of a tokenizer's files, each with whether it is a special one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ModelNotFound(f"{path} is no JSON: {error}; get the model's tokenizer anew") from error
    if path.name == "added_tokens.json":
        return [(str(text), False) for text in data]
    if path.name == "special_tokens_map.json":
        listed = [each for value in data.values() for each in (value if isinstance(value, list) else [value])]
        return [(str(each["content"] if isinstance(each, dict) else each), True) for each in listed]
    entries = data.get("added_tokens") or list((data.get("added_tokens_decoder") or {}).values())
    return [(str(entry["content"]), bool(entry.get("special"))) for entry in entries]


def _gguf_tokens(path: Path) -> list[str]:
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    kinds, words = fields["tokenizer.ggml.token_type"], fields["tokenizer.ggml.tokens"]
    chosen = [place for place, part in enumerate(kinds.data) if int(kinds.parts[part][0]) in _CONTROL_TYPES]
    return [bytes(words.parts[words.data[place]]).decode() for place in chosen]
