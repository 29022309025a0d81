"""A minimal LoRA (Hu et al. 2021, arXiv 2106.09685): train low-rank updates, save them, merge them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.contracts import ModelNotFound
from models.weight_hashes import sha256_file

if TYPE_CHECKING:
    import torch

WEIGHTS, CONFIG = "adapter.safetensors", "config.json"
BUILTIN = Path(__file__).resolve().parents[1] / "assets" / "report-adapter"


def adapter_folder(spec: str | None) -> Path | None:
    """The folder that `spec` names: ``builtin`` is the one in the repository, None is none.

    Raises:
        ModelNotFound: the folder holds no adapter.
    """
    if spec is None:
        return None
    folder = BUILTIN if spec == "builtin" else Path(spec).expanduser()
    if not (folder / WEIGHTS).is_file():
        raise ModelNotFound(
            f"no {WEIGHTS} in {folder}: run `make report-adapter`, or set reports.generator.options.adapter to null"
        )
    return folder


def adapter_sha256(folder: Path) -> str:
    """SHA-256 of the adapter's weight file."""
    return sha256_file(folder / WEIGHTS)


def inject(model: Any, rank: int, alpha: float, targets: tuple[str, ...]) -> dict[str, torch.nn.Parameter]:
    """Freeze `model` and add a trainable update to each linear layer whose name ends in one of `targets`.

    Returns:
        The new parameters: ``<layer>.A`` is (rank, in), ``<layer>.B`` is (out, rank) and starts at zero.
    """
    import torch

    model.requires_grad_(False)
    fresh: dict[str, torch.nn.Parameter] = {}
    for name, layer in model.named_modules():
        if not isinstance(layer, torch.nn.Linear) or not name.endswith(targets):
            continue
        a = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        b = torch.nn.Parameter(torch.zeros(layer.out_features, rank))
        layer.register_forward_hook(_updater(a, b, alpha / rank))
        fresh |= {f"{name}.A": a, f"{name}.B": b}
    return fresh


def _updater(a: torch.nn.Parameter, b: torch.nn.Parameter, scale: float) -> Any:
    def add(_: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        x = inputs[0]
        return output + scale * (x @ a.to(x.dtype).T) @ b.to(x.dtype).T

    return add


def save(parameters: dict[str, torch.nn.Parameter], folder: Path, config: dict[str, Any]) -> None:
    """Write the update as bfloat16 safetensors with its rank, scale and how it was trained."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().to(torch.bfloat16).contiguous() for name, value in parameters.items()}
    save_file(tensors, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def merge(model: Any, folder: Path) -> None:
    """Add the update in `folder` to the weights of `model`, in place.

    Raises:
        ValueError: the update was made for another model.
    """
    import torch
    from safetensors.torch import load_file

    config = json.loads((folder / CONFIG).read_text())
    tensors = load_file(folder / WEIGHTS)
    layers = dict(model.named_modules())
    names = sorted({name.rpartition(".")[0] for name in tensors})
    strange = [name for name in names if name not in layers]
    if strange:
        raise ValueError(f"{folder / WEIGHTS} is for another model: it has no layer {strange[0]!r}")
    scale = config["alpha"] / config["rank"]
    with torch.no_grad():
        for name in names:
            delta = scale * (tensors[f"{name}.B"].float() @ tensors[f"{name}.A"].float())
            weight = layers[name].weight
            weight.copy_((weight.float() + delta).to(weight.dtype))
