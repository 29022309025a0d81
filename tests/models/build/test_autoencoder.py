"""Films to latents and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.build.autoencoder import _whiten, encode, new_autoencoder, train_autoencoder
from models.build.fit import Run
from models.training.schedule import Schedule


def test_whitened_latents_have_unit_variance_and_decode_to_the_same_film() -> None:
    torch.manual_seed(0)
    net = new_autoencoder().eval()
    films = np.random.default_rng(0).integers(0, 255, (16, 32, 32), np.uint8)
    before = net.decode(encode(net, films)).sample
    _whiten(net, films)
    latents = encode(net, films)
    assert latents.mean((0, 2, 3)).abs().max() < 0.05
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.05
    assert torch.allclose(net.decode(latents).sample, before, atol=0.05)


def test_it_learns_from_crops_and_leaves_whitened_latents(tmp_path: Path) -> None:
    films, said = np.random.default_rng(1).integers(0, 255, (8, 64, 64), np.uint8), list[str]()
    run = Run(Schedule(2, 1e-3), tmp_path / "a.pt", said.append)
    net = train_autoencoder(films, torch.ones(8), run)
    assert not net.training
    assert (encode(net, films).std((0, 2, 3)) - 1).abs().max() < 0.2
    again = train_autoencoder(films, torch.ones(8), run)
    assert torch.equal(again.quant_conv.weight, net.quant_conv.weight), "a finished training is not repeated"
