"""Find a pipeline's weights: shipped with us, in a folder, or on the hub."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from models.contracts import ModelNotFound

SHIPPED = Path(__file__).parents[2] / "assets"
BUILTIN = {"builtin:phantom": SHIPPED / "image-generator"}
REMEDIES = {
    "builtin": "it is part of the repository: check it out again, or run `make image-generator` to train it",
    "folder": "put a diffusers pipeline with safetensors there; "
    "`pipeline.save_pretrained(folder, safe_serialization=True)` writes one",
}
SHAPED = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")  # hold weights
NEEDED = ["model_index.json", *(f"*/*.{kind}" for kind in ("json", "txt", "model", "safetensors"))]
UNUSED = ["*.fp16.*", "*.non_ema.*", "safety_checker/*"]  # copies of weights, and a part that we leave out


def find_pipeline(model: str, revision: str | None = None) -> Path:
    """The folder of a complete pipeline.

    Args:
        model: ``builtin:phantom``, a folder, or a hub id such as ``StanfordAIMI/RoentGen``.
        revision: branch, tag or commit, for a hub id.

    Raises:
        ModelNotFound: names the missing file and how to get it.
    """
    if model.startswith("builtin:"):
        if model not in BUILTIN:
            raise ModelNotFound(f"there is no {model!r}; known: {', '.join(BUILTIN)}")
        return _complete(BUILTIN[model], REMEDIES["builtin"])
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _complete(folder, REMEDIES["folder"])
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise ModelNotFound(f"{folder} does not exist: {REMEDIES['folder']}")
    return _complete(_from_hub(model, revision), "the hub's copy is incomplete: delete it and load it again")


def _from_hub(model: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=NEEDED, ignore_patterns=UNUSED))
    except (OSError, ValueError) as error:  # offline, unknown, gated: the hub's own errors are among these
        raise ModelNotFound(
            f"{model!r} is no folder here and could not be had from the hub ({type(error).__name__}). "
            f"With a network: unset HF_HUB_OFFLINE, or run `hf download {model}` (gated weights need `hf auth login` "
            "first). Without: copy the folder here and give its path as model"
        ) from error


def _complete(folder: Path, remedy: str) -> Path:
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelNotFound(f"{index} is missing: {remedy}")
    parts = json.loads(index.read_text())
    for part in SHAPED:
        library = (parts.get(part) or [None])[0]
        if library is not None and not any((folder / part).glob("*.safetensors")):
            found = [path.name for path in (folder / part).glob("*.bin")]
            also = f" ({', '.join(found)} would run code when loaded and is not used)" if found else ""
            raise ModelNotFound(f"{folder / part} holds no *.safetensors{also}: {remedy}")
    return folder


def weights_sha256(folder: Path) -> str:
    """SHA-256 hex over the names and bytes of all safetensors below `folder`."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        total.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
