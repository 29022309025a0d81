"""The small networks that ship with us: where they lie, and how one is written and found again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.contracts import ModelNotFound

if TYPE_CHECKING:
    from torch import nn

SHIPPED = Path(__file__).parents[1] / "assets" / "judges"
REMEDY = "it is part of the repository: check it out again, or run `make image-generator` to train it"
NETS: Mapping[str, tuple[str, ...]] = {
    "polarity": ("film-look.safetensors",),
    "two_lungs": ("film-look.safetensors",),
    "upright": ("film-look.safetensors",),
    "film_defects": ("defects.safetensors", "defects.json"),
    "agreement": ("agreement.safetensors", "agreement.json"),
    "film": ("defects.safetensors", "defects.json"),
}
"""Files in the `folder` of each gate or encoder that loads one of them, by kind."""


def save_net(net: nn.Module, name: str, folder: Path, facts: dict[str, Any]) -> None:
    """Write ``<name>.safetensors`` and ``<name>.json`` under `folder`."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, path)
    path.chmod(0o644)  # safetensors writes files that only their owner may read
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def net_facts(name: str, folder: Path, remedy: str = REMEDY) -> dict[str, Any]:
    """The content of ``<name>.json``.

    Raises:
        ModelNotFound: it or the weights beside it are missing.
    """
    for path in (folder / f"{name}.safetensors", folder / f"{name}.json"):
        if not path.is_file():
            raise ModelNotFound(f"{path} is missing; {remedy}")
    return json.loads((folder / f"{name}.json").read_text())
