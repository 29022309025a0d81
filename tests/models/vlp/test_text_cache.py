"""A frozen text tower reads each text once in a training, and what it says is what it says uncached."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.vlp.model import VisionLanguageModel, create
from models.vlp.objectives import TrainingBatch, build_objective, preparation
from models.vlp.text_cache import TextCache
from models.vlp.text_tower import TextTower
from tests.models.vlp.made_up import tiny_bert

STEPS = (("Cardiomegaly.", "No effusions."), ("No effusions.", "Left pleural effusion."), ("Cardiomegaly.",) * 2)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tiny_bert(folder)
    return folder


def losses_of(model: VisionLanguageModel, kind: str) -> tuple[list[float], int]:
    """The losses of three steps, and how often the encoder was called.

    In float64: batch norm over two pairs makes of rounding in float32 a difference of 4e-4 within three steps.
    """
    objective, calls = build_objective(kind, {}), list[int]()
    model.module.text.net.register_forward_pre_hook(lambda *_: calls.append(1))
    optimiser = torch.optim.SGD([weight for weight in model.module.parameters() if weight.requires_grad], lr=0.01)
    images = torch.randn((2, 1, 96, 96), generator=torch.Generator().manual_seed(0)).double()
    model.module.double().train()
    found: list[float] = []
    for texts in STEPS:
        batch = TrainingBatch(images, model.tokenizer(texts), texts)
        loss = torch.stack(list(objective.losses(model, batch).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    return found, len(calls)


@pytest.mark.parametrize("kind", ["clip", "convirt", "convirt_mgca", "gloria"])
def test_the_losses_are_those_without_and_each_text_is_read_once(bert: Path, kind: str) -> None:
    tower = TextTower(path=str(bert), context=12)
    plain, cached = (create(prepare=preparation(kind, {}), text_tower=tower) for _ in range(2))
    cached.module.text.cache_texts(10)
    expected, each_step = losses_of(plain, kind)
    found, once = losses_of(cached, kind)
    assert found == pytest.approx(expected, rel=1e-9)
    assert (each_step, once) == (3, 3), "three steps, and three different texts"
    assert losses_of(cached, kind)[1] == 0, "every text is known"
    cached.module.eval()
    cached.module.train()
    assert losses_of(cached, kind)[1] == 3, "they are forgotten at the end of a training"


def test_a_tower_that_is_trained_is_read_every_time(bert: Path) -> None:
    model = create(text_tower=TextTower(path=str(bert), context=12, frozen=False))
    model.module.text.cache_texts(10)
    model.module.train()
    ids = model.tokenizer(["Cardiomegaly."])
    before = model.module.encode_text(ids)
    with torch.no_grad():
        for weight in model.module.text.net.parameters():
            weight.add_(0.1)
    assert not torch.allclose(before, model.module.encode_text(ids))


def test_no_more_is_held_than_was_allowed_and_what_was_used_last_stays() -> None:
    read: list[int] = []

    def tower(ids: Tensor, _: int) -> tuple[Tensor, Tensor]:
        read.append(int(ids[0, 0]))
        return torch.zeros(len(ids), 10), torch.zeros(*ids.shape, 0)

    cache = TextCache(tower, 0, megabytes=80 / 1e6)
    for text in (1, 2, 1, 3, 1, 2):
        pooled, tokens = cache(torch.tensor([[text, 0, 0]]), 0)
        assert (pooled.shape, tokens.shape) == ((1, 10), (1, 3, 0))
        assert cache.bytes <= 80
    assert read == [1, 2, 3, 2], "two of 40 bytes fit, and 2 made room for 3"
