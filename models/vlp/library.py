"""Import open_clip and make it know our models."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

CONFIGS = Path(__file__).parent / "config"
_LIBRARIES: list[Any] = []


@lru_cache(maxsize=1)
def open_clip() -> ModuleType:
    """The open_clip module with our image tower and our model configurations registered."""
    mend_torchvision()
    library = importlib.import_module("open_clip")
    importlib.import_module("models.vlp.tower")
    library.add_model_config(CONFIGS)
    return library


def mend_torchvision() -> None:
    """Declare torchvision's two operators where its compiled part does not load.

    A CPU build of torch beside the CUDA build of torchvision cannot even import it; nothing here calls the
    operators, so their signatures are enough. Does nothing where the builds match.
    """
    import torch

    if "torchvision" in sys.modules or hasattr(torch.ops.torchvision, "nms"):
        return
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("open_clip needs torchvision: install the committed lock (make install)")
    try:
        torch.ops.load_library(Path(spec.origin).parent / "_C.so")
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _LIBRARIES.append(library)
