"""Where models compute, and that what they are given goes there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import nn

from models.device import device_of, device_problem, pick_device, to_device


class Pair(NamedTuple):
    left: torch.Tensor
    right: str


@dataclass(frozen=True, slots=True)
class Batch:
    images: torch.Tensor
    texts: tuple[str, ...]


@pytest.mark.parametrize(("cuda", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_cuda_where_it_is_there(cuda: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert pick_device().type == pick_device(None).type == expected
    assert pick_device("cpu").type == "cpu"
    assert pick_device("cuda:1").index == 1


def test_a_gpu_that_is_not_there_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_problem("auto") is device_problem("cpu") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_problem("cuda") == "cuda: there is no CUDA device here: take auto or cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_problem("cuda:1") is None
    assert device_problem("cuda:2") == "cuda:2: of CUDA devices there are 2 here: take auto or cpu"


def test_every_tensor_of_a_batch_is_moved_and_nothing_else_is_touched() -> None:
    meta = torch.device("meta")
    moved = to_device({"a": [torch.ones(1)], "b": (Pair(torch.ones(1), "x"), Batch(torch.ones(1), ("t",)), 3)}, meta)
    assert moved["a"][0].device == meta
    pair, batch, number = moved["b"]
    assert (pair.left.device, pair.right, number) == (meta, "x", 3)
    assert (batch.images.device, batch.texts) == (meta, ("t",))


def test_a_module_is_where_its_weights_are() -> None:
    assert device_of(nn.Linear(1, 1).to("meta")).type == "meta"
    assert device_of(nn.ReLU()).type == "cpu"
