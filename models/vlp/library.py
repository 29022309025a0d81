"""Import open_clip and register our model configurations."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from models.compat import torchvision_ready

CONFIGS = Path(__file__).parent / "config"


@lru_cache(maxsize=1)
def open_clip() -> ModuleType:
    """The open_clip module with our image tower and our model configurations registered."""
    torchvision_ready()
    library = importlib.import_module("open_clip")
    importlib.import_module("models.vlp.tower")
    library.add_model_config(CONFIGS)
    return library
