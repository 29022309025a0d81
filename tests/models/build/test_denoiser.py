"""The denoiser: which films it sees, its noise, and its steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.build.denoiser import DescribedLatents, film_chances, new_denoiser, new_scheduler, train_denoiser
from models.build.fit import Run
from models.build.text_tower import WIDTH
from models.training.rows import drawn_rows
from models.training.schedule import Schedule


def test_rare_findings_are_drawn_more_and_refused_films_never() -> None:
    labels = np.zeros((1000, 2), int)
    labels[:500, 0], labels[500:510, 1] = 1, 1
    good = np.arange(1000) != 505
    chances = film_chances(labels, good, power=1.0, normal=0.5)
    assert chances[505] == 0
    assert chances[500] == pytest.approx(50 * float(chances[0]))
    assert chances[999] == pytest.approx(0.5 * float(chances[0]))
    rows = torch.cat([drawn_rows(1000, 500, 1, chances)(step) for step in range(4)])
    assert 505 not in rows


def test_the_schedule_of_noise_ends_in_pure_noise() -> None:
    assert float(new_scheduler().alphas_cumprod[-1]) < 1e-6


def test_the_denoiser_takes_a_training_step_from_latents_and_states(tmp_path: Path) -> None:
    states = torch.randn(3, 77, WIDTH).bfloat16()
    before = new_denoiser().conv_in.weight
    data = DescribedLatents(torch.randn(8, 4, 32, 32), states, torch.tensor([[0, 1]] * 8), states[2], torch.ones(8))
    net = train_denoiser(data, Run(Schedule(2, 1e-3), tmp_path / "d.pt"))
    assert torch.isfinite(net.conv_in.weight).all()
    assert net.conv_in.weight.shape == before.shape


def test_a_denoiser_goes_on_from_the_net_it_is_given(tmp_path: Path) -> None:
    start, states = new_denoiser(), torch.zeros(1, 77, WIDTH).bfloat16()
    before = start.conv_in.weight.detach().clone()
    data = DescribedLatents(torch.randn(4, 4, 32, 32), states, torch.zeros(4, 1).long(), states[0], torch.ones(4))
    net = train_denoiser(data, Run(Schedule(1, 1e-2, warmup=100), tmp_path / "d.pt"), start=start)
    assert net is start
    assert 0 < (net.conv_in.weight - before).abs().max() < 1e-3
