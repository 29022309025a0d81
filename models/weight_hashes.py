"""SHA-256 of weight files, cached by size and time of change: large weights are read once per machine."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

WEIGHT_FILES = frozenset({".safetensors", ".gguf", ".json", ".txt", ".model", ".jinja"})
"""Endings of the files in a model's folder that are loaded: weights, configurations, tokenizers, chat templates."""


def model_cache() -> Path:
    """Folder of converted models: ``models`` in the state folder (``SYNTHCXR_HOME``, else ``.synthcxr``)."""
    return Path(os.environ.get("SYNTHCXR_HOME", ".synthcxr")).resolve() / "models"


def file_hashes(place: Path) -> dict[str, str]:
    """SHA-256 of a file, or of every file in a folder that is loaded, by its path in the folder.

    Args:
        place: a file, which counts whatever its ending, under its own name; or a folder, of which hidden files and
            folders do not count.

    Raises:
        OSError: a file cannot be read.
    """
    if place.is_file():
        return dict(zip([place.name], _remembered([place]), strict=True))
    names = sorted(
        name
        for path in place.rglob("*")
        if path.suffix in WEIGHT_FILES and path.is_file()
        for name in [path.relative_to(place).as_posix()]
        if not any(part.startswith(".") for part in name.split("/"))
    )
    return dict(zip(names, _remembered(place / name for name in names), strict=True))


def sha256_file(path: Path) -> str:
    """SHA-256 of one file; a hub cache's blob already has it as its name."""
    blob = path.resolve().name
    if path.is_symlink() and len(blob) == 64 and all(c in "0123456789abcdef" for c in blob):
        return blob
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_weights(folder: Path) -> str:
    """SHA-256 over the names and digests of the folder's safetensors files."""
    total, paths = hashlib.sha256(), sorted(folder.glob("*.safetensors"))
    for path, digest in zip(paths, _remembered(paths), strict=True):
        total.update(f"{path.name}:{digest}\n".encode())
    return total.hexdigest()


def _remembered(paths: Iterable[Path]) -> list[str]:
    """The SHA-256 of each, from `model_cache` where size and time are as they were."""
    memo_path, new, found = model_cache() / "sha256.json", False, []
    try:
        memo = json.loads(memo_path.read_text())
    except (OSError, ValueError):
        memo = {}
    memo = memo if isinstance(memo, dict) else {}
    for path in paths:
        stat = path.stat()
        key = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        if key not in memo:
            memo[key], new = sha256_file(path), True
        found.append(memo[key])
    if new:
        with suppress(OSError):  # it only saves time, and the folder may be read-only
            memo_path.parent.mkdir(parents=True, exist_ok=True)
            fresh = memo_path.with_name(f"{memo_path.name}.{uuid.uuid4().hex}")
            fresh.write_text(json.dumps(memo, indent=0, sort_keys=True))
            fresh.replace(memo_path)
    return found
