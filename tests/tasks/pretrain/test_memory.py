"""A batch that does not fit the memory is an error that says which would: in parts where that is possible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.vlp.model import VisionLanguageModel
from models.vlp.objectives import TrainingBatch
from models.vlp.objectives.clip import ClipObjective
from models.vlp.text import split_report
from storage.loader import SampleOrder
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.corpus import Corpus, Stage
from tasks.pretrain.memory import OutOfMemory, size_that_fits
from tasks.pretrain.train import train_on
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection
from tests.models.vlp.made_up import SIDE, TRANSFORMER, model_folder

TRIAL = Trial(arm=Arm(name="real", mix=(), samples_seen=64), objective=KindSpec(kind="clip"), seed=1)
LACKS = "^real, seed 1: a batch of 16 does not fit the memory of cpu"


class TooLarge(ClipObjective):
    """Embeds so many pairs at once and no more, as a small device would."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def embed(self, model: VisionLanguageModel, batch: TrainingBatch) -> tuple[torch.Tensor, torch.Tensor]:
        if len(batch.texts) > self.most:
            raise torch.OutOfMemoryError(f"tried to allocate {len(batch.texts)} pairs")
        return super().embed(model, batch)


def train(monkeypatch: pytest.MonkeyPatch, most: int, model: str, micro_batch: int | None = None) -> None:
    monkeypatch.setattr("tasks.pretrain.train.build_objective", lambda *_: TooLarge(most))
    side = SIDE if model.startswith("local-dir:") else 96
    images = list(np.random.default_rng(0).integers(0, 255, (32, side, side), np.uint8))
    reports = tuple(split_report(f"IMPRESSION: Nodule number {at}. Stable.") for at in range(32))
    stages = (Stage(0, 0, SampleOrder([[32]], 0)),)
    corpus = Corpus(tuple(map(str, range(32))), reports, np.arange(32), images, stages)
    section = TrainSection(model=model, samples_seen=64, batch=16, micro_batch=micro_batch, threads=1, device="cpu")
    train_on(corpus, TRIAL, section)


@pytest.mark.parametrize(("most", "micro_batch", "found"), [(15, None, 8), (5, None, 4), (1, None, 1), (3, 8, 2)])
def test_parts_that_fit_are_proposed_where_pairs_do_not_depend_on_each_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, most: int, micro_batch: int | None, found: int
) -> None:
    model = model_folder(tmp_path, TRANSFORMER)
    with pytest.raises(OutOfMemory, match=f"{LACKS}; in parts of {found} it fits: set pretrain.micro_batch={found}$"):
        train(monkeypatch, most, model, micro_batch)
    train(monkeypatch, most, model, found)


@pytest.mark.parametrize(("most", "said"), [(5, "one of 4 fits: set pretrain.batch=4"), (1, "nothing smaller fits")])
def test_a_smaller_batch_is_proposed_where_batch_norm_sees_the_whole(
    monkeypatch: pytest.MonkeyPatch, most: int, said: str
) -> None:
    with pytest.raises(OutOfMemory, match=f"{LACKS}; {said}"):
        train(monkeypatch, most, "synthcxr-tiny")


def test_no_size_is_tried_while_other_processes_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tasks.pretrain.memory._processes", lambda: 2)
    with pytest.raises(OutOfMemory, match=f"{LACKS}, one of 2: set pretrain.micro_batch below 8$"):
        train(monkeypatch, 4, model_folder(tmp_path, TRANSFORMER))
    with pytest.raises(OutOfMemory, match=f"{LACKS}, one of 2: lower pretrain.batch$"):
        train(monkeypatch, 4, "synthcxr-tiny")


@pytest.mark.parametrize(
    ("most", "least", "found"), [(100, 2, 32), (32, 2, 32), (31, 2, 16), (3, 2, 2), (1, 2, 0), (1, 1, 1), (0, 1, 0)]
)
def test_the_largest_half_that_fits_is_found(most: int, least: int, found: int) -> None:
    assert size_that_fits(lambda size: size <= most, 64, least) == found
