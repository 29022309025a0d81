"""Convert an adapter of version 0.1, whose format was our own, to PEFT's layout with the same weights.

    python -m models.build.convert_adapter OLD_FOLDER NEW_FOLDER

The shipped adapter was converted by this command.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from models.build.adapter_files import report_lora, write_adapter
from models.language.adapter import CONFIG, FORMER_WEIGHTS, WEIGHTS

if TYPE_CHECKING:
    pass

FORMER_CONFIG = "config.json"


def convert(old: Path, new: Path) -> None:
    """Write the adapter in `old` to `new`.

    Raises:
        ValueError: `old` holds no adapter of version 0.1, or tensors that none has.
    """
    from safetensors.torch import load_file

    for name in (FORMER_WEIGHTS, FORMER_CONFIG):
        if not (old / name).is_file():
            raise ValueError(f"no {name} in {old}: give the folder of an adapter that version 0.1 trained")
    facts = json.loads((old / FORMER_CONFIG).read_text(encoding="utf-8"))
    tensors = {peft_name(name): tensor for name, tensor in load_file(old / FORMER_WEIGHTS).items()}
    numbers = sorted({int(name.split(".layers.")[1].split(".")[0]) for name in tensors})
    layers = range(numbers[0], numbers[-1] + 1)
    if list(layers) != numbers:
        raise ValueError(f"{old / FORMER_WEIGHTS} has gaps between its layers {numbers}: it cannot be converted")
    base = f"package:{facts['base']}"
    config = report_lora(facts["rank"], facts["alpha"], layers, tuple(facts["targets"]), base)
    write_adapter(new, config, tensors, facts)


def peft_name(name: str) -> str:
    """PEFT's name of a tensor: ``model.layers.10.mlp.up_proj.A`` is that layer's ``lora_A.weight``.

    Raises:
        ValueError: no adapter of version 0.1 has such a tensor.
    """
    layer, _, part = name.rpartition(".")
    if part not in ("A", "B") or ".layers." not in layer:
        raise ValueError(f"{name!r} is no tensor of an adapter of version 0.1")
    return f"base_model.model.{layer}.lora_{part}.weight"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    args = parser.parse_args()
    try:
        convert(args.old, args.new)
    except (OSError, ValueError, KeyError) as error:
        parser.error(" ".join(str(error).split()))
    print(f"wrote {args.new / CONFIG} and {args.new / WEIGHTS}")


if __name__ == "__main__":
    main()
