"""Which open_clip models can be pretrained here, known from their configurations without importing open_clip."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.hub import cached, offline
from models.typed import quoted, suggest
from models.vlp.tokenizer import VOCABULARY

CONFIGS = Path(__file__).parent / "config"
OURS = "synthcxr-tiny"
IMAGE_SIZE, CLIP_VOCABULARY = 224, 49_408
"""What open_clip takes where a configuration leaves it open."""


def wrong_model(name: str, other_text: bool = False) -> str | None:
    """Why the open_clip model `name` cannot be pretrained; None where it can.

    Args:
        name: as open_clip has it, or ``local-dir:`` and a folder.
        other_text: whether another text tower takes the place of its own (`models.vlp.text_tower`).
    """
    config = _config(name)
    return config if isinstance(config, str) else wrong_config(name, config, other_text)


def wrong_config(name: str, config: Mapping[str, Any], other_text: bool = False) -> str | None:
    """Why a model of this configuration of open_clip's cannot be pretrained, as `wrong_model`."""
    text, size = config["text_cfg"], config.get("vision_cfg", {}).get("image_size", IMAGE_SIZE)
    if not isinstance(size, int):
        return f"{quoted(name)} reads images of {size} pixels: take a model whose image_size is one number"
    if other_text:
        both = f"{quoted(name)} reads texts with two towers: take a model without multimodal_cfg, or no text_tower"
        return both if "multimodal_cfg" in config else None
    source, vocabulary = text.get("hf_tokenizer_name"), text.get("vocab_size", CLIP_VOCABULARY)
    if not source and vocabulary != VOCABULARY and vocabulary < CLIP_VOCABULARY:
        return (
            f"{quoted(name)} has a vocabulary of {vocabulary} and no hf_tokenizer_name: ours has {VOCABULARY}, CLIP's "
            f"{CLIP_VOCABULARY}; name the tokenizer in its text_cfg"
        )
    if source and not name.startswith("local-dir:") and offline() and cached(source) is None:
        return lacking(name, source)
    return None


def lacking(name: str, source: str) -> str:
    """What to say of an open_clip model whose tokenizer cannot be loaded.

    Args:
        name: of the model, such as ``ViT-B-16-SigLIP`` or ``local-dir:/models/mine``.
        source: the hub id that its configuration names.
    """
    if name.startswith("local-dir:"):
        files = "tokenizer.json and tokenizer_config.json"
        return f"{quoted(name)} has no tokenizer that can be read: put {files} into that folder"
    return (
        f"{quoted(name)} needs the tokenizer of {source}, which is not on this machine: run `hf download {source} "
        "config.json tokenizer.json tokenizer_config.json` where there is a network"
    )


def lacks_features(name: str, other_text: bool = False) -> str | None:
    """Why an objective cannot put layers of its own on the open_clip model `name` (`models.vlp.features`).

    Args:
        name, other_text: as for `wrong_model`.
    """
    config = _config(name)
    if isinstance(config, str):
        return config
    if "timm_model_name" in config.get("vision_cfg", {}) and (other_text or config.get("custom_text")):
        return None
    return (
        f"{quoted(name)} has no timm image tower with a custom_text tower beside it: use {OURS!r} or a variant of it"
    )


def _config(name: str) -> dict[str, Any] | str:
    """The configuration of the open_clip model `name`, or why there is none."""
    if name.startswith("local-dir:"):
        found: Path | None = Path(name.removeprefix("local-dir:")) / "open_clip_config.json"
    elif "/" in name or ":" in name:
        return f"{quoted(name)} is no model of open_clip's list: use {OURS!r} or a variant of it"
    else:
        known = _known()
        found = known.get(name)
        if found is None:
            return f"open_clip knows no model {quoted(name)}{suggest(name, known)}; use {OURS!r} or a variant of it"
    try:
        config: Any = json.loads(found.read_text(encoding="utf-8"))
        config = config.get("model_cfg", config)
        config["text_cfg"].get("vocab_size")
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        return f"{found} cannot be read as a model's configuration ({type(error).__name__})"
    return config


def _known() -> dict[str, Path]:
    spec = importlib.util.find_spec("open_clip")
    places = (spec.submodule_search_locations if spec else None) or ()
    folders = [Path(place) / "model_configs" for place in places]
    return {path.stem: path for folder in (*folders, CONFIGS) for path in folder.glob("*.json")}
