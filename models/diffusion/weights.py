"""Find a pipeline's weights: shipped with us, in a folder, or on the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

from models.contracts import ModelNotFound
from models.diffusion.families import FAMILIES
from models.weight_files import TOKENIZERS, any_of, found, read_object, wrong_weights

SHIPPED = Path(__file__).parents[1] / "assets"
BUILTIN = {"builtin:phantom": SHIPPED / "image-generator"}
REMEDIES = {
    "builtin": "it is part of the repository: check it out again, or run `make image-generator` to train it",
    "folder": "put a diffusers pipeline with safetensors there; "
    "`pipeline.save_pretrained(folder, safe_serialization=True)` writes one",
}
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
    wrong = wrong_pipeline(folder)
    if wrong:
        raise ModelNotFound(f"{'; '.join(wrong)}: {remedy}")
    return folder


def wrong_pipeline(folder: Path) -> list[str]:
    """What keeps the pipeline in `folder` from being loaded, found without loading any of it."""
    path = folder / "model_index.json"
    wrong = found([path])
    if wrong:
        return wrong
    index = read_object(path)
    family = FAMILIES.get(str(index.get("_class_name")))
    if family is None:
        kind = index.get("_class_name")
        return [f"{path}: _class_name is {kind!r}; pipelines that draw films: {', '.join(FAMILIES)}"]
    left_out = {part for part, given in family.load.items() if given is None}
    parts = {part: origin for part, origin in index.items() if isinstance(origin, list) and any(origin[:1])}
    needed = (family.denoiser, "vae", "scheduler", family.towers[0].encoder, family.towers[0].tokenizer)
    wrong = [f"{path} names no {part}" for part in needed if part not in parts]
    for part, origin in parts.items():
        if part not in left_out:
            wrong += _wrong_part(folder / part, part, str(origin[0]))
    return wrong


def _wrong_part(folder: Path, part: str, library: str) -> list[str]:
    if not folder.is_dir():
        return [f"{folder} is missing, which model_index.json names"]
    if part == "scheduler":
        return found([folder / "scheduler_config.json"])
    if part.startswith("tokenizer"):
        return any_of(folder, TOKENIZERS, "tokenizer")
    if part in ("feature_extractor", "image_processor"):
        return found([folder / "preprocessor_config.json"])
    name = "model" if library == "transformers" else "diffusion_pytorch_model"
    return found([folder / "config.json"]) + wrong_weights(folder, name)


def sides_of(folder: Path) -> int:
    """The number of pixels that a film's side must be a multiple of, from the pipeline's configuration."""
    vae, net = (read_object(folder / part / "config.json") for part in ("vae", "transformer"))
    blocks = vae.get("block_out_channels") or vae.get("encoder_block_out_channels")
    factor = 2 ** (len(blocks) - 1) if isinstance(blocks, list) and len(blocks) < 10 else 8
    patch = net.get("patch_size")
    return max(8, factor * (patch if isinstance(patch, int) and 0 < patch < 64 else 1))


def weights_sha256(folder: Path) -> str:
    """SHA-256 hex over the names and bytes of all safetensors below `folder`."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        total.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()
