"""Published models as they are evaluated: folders of open_clip and of transformers' CLIP, and hub ids.

Only safetensors are read, no code of a repository is run, and nothing is downloaded: a hub id must be in the local
cache. Films are normalised as the model's own training images were (`models.vlp.normalisation`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.contracts import ModelNotFound
from models.hub import cached
from models.typed import quoted
from models.vlp.model import VisionLanguageModel, create, unfit
from models.vlp.names import wrong_model
from models.vlp.normalisation import normalisation_of
from models.weight_files import PICKLES, TOKENIZERS, any_of, found, wrong_weights

OPEN_CLIP = ("open_clip_config.json", "open_clip_model")
TRANSFORMERS = ("config.json", "model")
HUB = "hf-hub:"


def published_folder(name: str) -> Path:
    """The folder that a model's name means: itself, that of a hub id, or that of an open_clip tag.

    Args:
        name: a folder, ``hf-hub:owner/name``, ``owner/name``, or ``ViT-B-32/laion2b_s34b_b79k``.

    Raises:
        ModelNotFound: it is not on this machine; the message says how to get it.
    """
    place = Path(name).expanduser()
    if place.is_dir():
        return place
    if place.is_file() or any(place.match(kind) for kind in PICKLES):
        raise ModelNotFound(_refused(place))
    hub = name.removeprefix(HUB) if name.startswith(HUB) else _tagged(name) or name
    if hub.count("/") != 1 or hub.startswith((".", "/", "~")):
        raise ModelNotFound(
            f"there is no model {quoted(name)}: give a trial's fingerprint, a .safetensors file of ours, a folder of "
            f"open_clip or of a CLIP of transformers, {HUB}OWNER/NAME, or open_clip's NAME/TAG"
        )
    folder = cached(hub)
    if folder is None:
        raise ModelNotFound(f"{quoted(name)} is not on this machine: run `hf download {hub}` where there is a network")
    return folder


def load_published(folder: Path, name: str, device: str = "cpu") -> VisionLanguageModel:
    """The model in a folder, on a device (`models.device`).

    Args:
        folder: with open_clip_config.json and open_clip_model.safetensors, or with config.json of the model type clip,
            model.safetensors and a tokenizer.
        name: what messages call it.
        device: where it computes.

    Raises:
        ModelNotFound: a file is missing, damaged or of another model; the message names it.
    """
    if (folder / OPEN_CLIP[0]).exists():
        return _open_clip(folder, name, device)
    if (folder / TRANSFORMERS[0]).exists():
        return _transformers(folder, name, device)
    raise ModelNotFound(
        f"{quoted(name)} holds neither {OPEN_CLIP[0]} nor {TRANSFORMERS[0]}: it is no folder of a CLIP"
    )


def _open_clip(folder: Path, name: str, device: str) -> VisionLanguageModel:
    local = f"local-dir:{folder}"
    _need([*found([folder / OPEN_CLIP[0]]), *_weights(folder, OPEN_CLIP[1])])
    if wrong := wrong_model(local):
        raise ModelNotFound(wrong)
    try:
        model = create(local, device=device)
        normalisation = _preprocessing(folder / OPEN_CLIP[0], "preprocess_cfg", "mean", "std")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelNotFound(f"{quoted(name)} cannot be made by open_clip: {_told(error)}") from error
    state = _state(folder, f"{OPEN_CLIP[1]}.safetensors", name)
    if wrong := unfit(model.module, state):
        raise ModelNotFound(f"{folder / OPEN_CLIP[1]}.safetensors does not fit {OPEN_CLIP[0]}: {wrong}")
    model.module.load_state_dict(state)
    return replace(model, normalisation=normalisation)


def _transformers(folder: Path, name: str, device: str) -> VisionLanguageModel:
    from models.vlp.transformers_clip import load_clip

    config = _json(folder / TRANSFORMERS[0])
    if config.get("model_type") != "clip":
        raise ModelNotFound(
            f"{quoted(name)} is a model of type {config.get('model_type')!r}: only transformers' clip is read"
        )
    _need([*_weights(folder, TRANSFORMERS[1]), *any_of(folder, TOKENIZERS, "tokenizer")])
    try:
        normalisation = _preprocessing(folder / "preprocessor_config.json", "", "image_mean", "image_std")
        module, tokenizer, size = load_clip(folder, device)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelNotFound(f"{quoted(name)} cannot be loaded by transformers: {_told(error)}") from error
    return VisionLanguageModel(name, module, tokenizer, size, normalisation)


def _preprocessing(path: Path, section: str, mean: str, std: str) -> Any:
    """The normalisation that a file states; CLIP's where there is no such file."""
    values = _json(path) if path.exists() else {}
    values = values.get(section) or {} if section else values
    try:
        return normalisation_of(values.get(mean), values.get(std))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _state(folder: Path, file: str, name: str) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / file)
    except (SafetensorError, OSError) as error:
        raise ModelNotFound(f"{quoted(name)}: {file} cannot be read ({_told(error)}): get it again") from error


def _weights(folder: Path, name: str) -> list[str]:
    """What is wrong with the weights; pickles in their place are named with how to convert them."""
    wrong = wrong_weights(folder, name)
    pickles = sorted(path for kind in PICKLES for path in folder.glob(kind))
    if wrong and pickles and not any(folder.glob("*.safetensors")):
        return [_refused(pickles[0])]
    return wrong


def _refused(path: Path) -> str:
    if not path.exists():
        return f"{path} is missing"
    return (
        f"{path} is no safetensors file and may run code when it is loaded: convert it where you trust it "
        "(`safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')`)"
    )


def _tagged(name: str) -> str | None:
    """The hub id behind open_clip's NAME/TAG; None where it is no such pair, or its weights are on no hub."""
    from models.vlp.library import open_clip

    model, _, tag = name.partition("/")
    known: dict[str, Any] = open_clip().pretrained.get_pretrained_cfg(model, tag) if tag else {}
    hub = str(known.get("hf_hub", "")).strip("/") if known else ""
    return "/".join(hub.split("/")[:2]) or None


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{path} cannot be read ({_told(error)})") from error
    if not isinstance(value, dict):
        raise ModelNotFound(f"{path} holds no mapping")
    return value


def _need(wrong: list[str]) -> None:
    if wrong:
        raise ModelNotFound(wrong[0])


def _told(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
