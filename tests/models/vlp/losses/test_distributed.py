"""Two processes that give half of the rows each come to the loss and the gradients of one that gives all."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from models.training.distributed import gather_rows, own_rows, rank, world_size
from models.vlp.losses.contrast import Directions
from models.vlp.losses.convirt import convirt_loss
from models.vlp.losses.gloria import LocalSimilarity, Words, global_loss, local_loss
from models.vlp.losses.same_text import positives_of

Inputs = tuple[Tensor, Tensor]
TEXTS = ("Clear.", "Nodule.", "Effusion.", "Clear.", "Clear.", "Nodule.", "Mass.", "Fibrosis.")
MASK = torch.arange(4)[None, :] < torch.tensor((1, 4, 2, 3, 4, 1, 2, 2))[:, None]
HOW = LocalSimilarity(chunk=3)


def mine() -> tuple[str, ...]:
    return TEXTS[own_rows(8)]


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "convirt": lambda v, w: convirt_loss(v[:, 0], w[:, 0], 0.1, Directions(0.75, 0.25)),
    "convirt_mgca": lambda v, w: convirt_loss(v[:, 0], w[:, 0], 0.07, Directions(1, 1)),
    "convirt, positives": lambda v, w: convirt_loss(
        v[:, 0], w[:, 0], 0.1, Directions(0.75, 0.25), positives_of(mine(), "positive")
    ),
    "gloria, global": lambda v, w: global_loss(v[:, 0], w[:, 0], 10),
    "gloria, local": lambda v, w: local_loss(v, Words(w, MASK[own_rows(8)]), 10, HOW),
    "gloria, local, positives": lambda v, w: local_loss(
        v, Words(w, MASK[own_rows(8)]), 10, HOW, positives_of(mine(), "positive")
    ),
}


def measured() -> dict[str, Tensor]:
    """Each loss of this process, and its gradients as the processes sum them up."""
    found: dict[str, Tensor] = {}
    for name, loss in LOSSES.items():
        rng = torch.Generator().manual_seed(3)
        v, w = (torch.randn((8, n, 5), dtype=torch.float64, generator=rng) for n in (6, 4))
        bend = torch.eye(5, dtype=torch.float64, requires_grad=True)  # stands for the weights of both towers
        regions, words = (part[own_rows(8)].clone().requires_grad_() for part in (v, w))
        value = loss(regions @ bend, words @ bend)
        value.backward()
        assert regions.grad is not None
        assert words.grad is not None
        assert bend.grad is not None
        dist_mean = bend.grad / world_size()
        if world_size() > 1:
            dist.all_reduce(dist_mean)
        found |= {f"{name}: loss": value.detach(), f"{name}: weights": dist_mean}
        found |= {f"{name}: regions": regions.grad / world_size(), f"{name}: words": words.grad / world_size()}
    return found


def in_a_group(number: int, port: int, folder: str, repository: str) -> None:
    sys.path.insert(0, repository)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=number)
    torch.save(measured(), Path(folder, f"{rank()}.pt"))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spawn(in_a_group, (port, str(folder), str(Path(__file__).parents[4])), nprocs=2)
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in (0, 1)]


@pytest.mark.parametrize("name", LOSSES)
def test_two_processes_equal_one_on_the_whole_batch(name: str, two: list[dict[str, Tensor]]) -> None:
    one = measured()
    for part in ("loss", "weights"):
        for found in two:
            torch.testing.assert_close(found[f"{name}: {part}"], one[f"{name}: {part}"], rtol=1e-9, atol=1e-12)
    for part in ("regions", "words"):
        joined = torch.cat([found[f"{name}: {part}"] for found in two])
        torch.testing.assert_close(joined, one[f"{name}: {part}"], rtol=1e-9, atol=1e-12)


def test_regions_stay_in_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    travelled: list[tuple[int, ...]] = []

    def gather(rows: Tensor) -> Tensor:
        travelled.append(tuple(rows.shape))
        return gather_rows(rows)

    monkeypatch.setattr("models.vlp.losses.gloria.gather_rows", gather)
    regions, words = torch.randn(8, 6, 5), torch.randn(8, 4, 5)
    local_loss(regions, Words(words, MASK), 10, HOW)
    assert travelled == [(8, 4, 5), (8, 4), (8, 8)], "words, which of them are there, and similarities"
