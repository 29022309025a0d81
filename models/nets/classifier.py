"""Two small film classifiers of different architectures: one for a gate, the other for evaluation alone.

Both see films of 128 x 128 with zero mean and unit spread each, so that exposure matters little, and where in
the film they look. They answer with logits for every label and, where it has one, for every label's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.device import device_of
from models.findings.label_sets import LabelSet
from models.nets.shipped import REMEDY, SHIPPED, net_facts, save_net
from models.nets.slots import LABEL_SET, SIDED, sided

SIZE = 128


def film_batch(images: Sequence[np.ndarray] | np.ndarray) -> Tensor:
    """Films (n, 1, 128, 128) in 0..1 from grey uint8 films of any sizes."""
    if isinstance(images, np.ndarray) and images.shape[1:] == (SIZE, SIZE):
        return torch.from_numpy(images).unsqueeze(1).float() / 255
    return torch.cat([_resized(torch.from_numpy(np.ascontiguousarray(image))) for image in images])


def _resized(image: Tensor) -> Tensor:
    film = image[None, None].float() / 255
    return film if film.shape[2:] == (SIZE, SIZE) else F.interpolate(film, (SIZE, SIZE), mode="area")


def _standard(films: Tensor) -> Tensor:
    """Zero mean and unit spread per film, with two maps of position: (n, 3, 128, 128)."""
    centred = films - films.mean((2, 3), keepdim=True)
    centred = centred / (centred.std((2, 3), keepdim=True) + 1e-3)
    steps = torch.linspace(-1, 1, SIZE, dtype=films.dtype, device=films.device)
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    maps = torch.stack([down, across]).expand(len(films), 2, SIZE, SIZE)
    return torch.cat([centred, maps], 1).contiguous(memory_format=torch.channels_last)


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.skip = nn.Identity() if before == after and stride == 1 else nn.Sequential(
            nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
            nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.skip(x))


class AgreementNet(nn.Module):
    """A residual network with mean and maximum pooling."""

    def __init__(self, answers: int = len(SIDED)) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            _Residual(16, 32, 1), _Residual(32, 64, 2), _Residual(64, 96, 2), _Residual(96, 112, 1),
        )  # fmt: skip
        self.head = nn.Linear(2 * 112, answers)

    def forward(self, films: Tensor) -> Tensor:
        """Logits (n, answers) of films (n, 1, 128, 128)."""
        maps = self.body(_standard(films))
        return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


def _step(before: int, after: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.1)
    )


class ExaminerNet(nn.Module):
    """A plain chain of convolutions with maximum pooling between and a hidden layer in its head."""

    def __init__(self, answers: int = len(SIDED)) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _step(3, 24, 5, 2), _step(24, 48), nn.MaxPool2d(2), _step(48, 96), nn.MaxPool2d(2),
            _step(96, 128), _step(128, 128),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(2 * 128, 128), nn.LeakyReLU(0.1), nn.Linear(128, answers))

    def forward(self, films: Tensor) -> Tensor:
        """Logits (n, answers) of films (n, 1, 128, 128)."""
        maps = self.body(_standard(films))
        return self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


NETS: dict[str, type[nn.Module]] = {"agreement": AgreementNet, "examiner": ExaminerNet}


def save_classifier(
    net: nn.Module, name: str, folder: Path, facts: dict[str, Any], label_set: LabelSet = LABEL_SET
) -> None:
    """Write ``<name>.safetensors`` and ``<name>.json`` (labels and measured facts) under `folder`."""
    save_net(net, name, folder, {"answers": list(sided(label_set)), **facts})


def load_classifier(
    name: str, folder: Path = SHIPPED, label_set: LabelSet = LABEL_SET
) -> tuple[nn.Module, dict[str, Any]]:
    """The classifier called `name`, ready to answer for the labels of `label_set`, with its facts.

    Raises:
        ModelNotFound: one of its two files is missing.
        ValueError: its classes are not those of this version.
    """
    from safetensors.torch import load_file

    facts = net_facts(name, folder)
    if facts["answers"] != list(sided(label_set)):
        raise ValueError(f"{folder / name}.json answers other labels than those of {label_set.name}; {REMEDY}")
    net: Any = NETS[name](len(facts["answers"]))
    net.load_state_dict(load_file(folder / f"{name}.safetensors"))
    return net.to(memory_format=torch.channels_last).eval(), facts


@torch.inference_mode()
def logits(net: nn.Module, images: Sequence[np.ndarray] | np.ndarray, batch: int = 64) -> np.ndarray:
    """Float32 (n, answers)."""
    device, starts = device_of(net), range(0, len(images), batch)
    parts = [net(film_batch(images[at : at + batch]).to(device)).float().cpu().numpy() for at in starts]
    return np.concatenate(parts) if parts else np.zeros((0, len(SIDED)), np.float32)
