"""Which open_clip models can be pretrained here, known from their configurations without importing open_clip."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from models.typed import quoted, suggest
from models.vlp.tokenizer import VOCABULARY

CONFIGS = Path(__file__).parent / "config"
OURS = "synthcxr-tiny"


def wrong_model(name: str) -> str | None:
    """Why the open_clip model `name` cannot be pretrained with our tokenizer; None where it can."""
    config = _config(name)
    if isinstance(config, str):
        return config
    if config["text_cfg"].get("vocab_size") == VOCABULARY:
        return None
    return f"{quoted(name)} reads another vocabulary than ours of {VOCABULARY} words: use {OURS!r} or a variant of it"


def lacks_features(name: str) -> str | None:
    """Why an objective cannot put layers of its own on the open_clip model `name` (`models.vlp.features`)."""
    config = _config(name)
    if isinstance(config, str):
        return config
    if "timm_model_name" in config.get("vision_cfg", {}) and config.get("custom_text"):
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
