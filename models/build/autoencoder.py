"""Train the autoencoder: films to 32 x 32 latents of 4 channels and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.build.fit import Run, fit, quick_precision
from models.compat import torchvision_ready
from models.training.distributed import rank
from models.training.rows import drawn_rows
from models.training.trainer import TrainerOptions, TrainingTask

LATENT_CHANNELS = 4
STRIDE = 4  # pixels per latent
CROP, BATCH, SEED = 64, 16, 3  # a batch per process
KL_WEIGHT = 2e-4


def new_autoencoder() -> Any:
    """An `AutoencoderKL` of 4 x 4 pixels per latent: with 8 x 8, tubes and leads took far longer to learn."""
    torchvision_ready()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.resnet import ResnetBlock2D

    build: Any = AutoencoderKL  # its own types say that every tuple holds one block
    net = build(
        in_channels=1, out_channels=1, latent_channels=LATENT_CHANNELS, sample_size=128,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64), layers_per_block=1, norm_num_groups=8,
        mid_block_add_attention=False, scaling_factor=1.0,
    )  # fmt: skip
    for block in net.modules():
        if isinstance(block, ResnetBlock2D):  # begin as a short chain of convolutions, which learns edges at once
            torch.nn.init.zeros_(block.conv2.weight)
    return net


def film_tensor(images: np.ndarray) -> Tensor:
    """Grey films uint8 (n, H, W) as float (n, 1, H, W) in -1..1."""
    return torch.from_numpy(images).unsqueeze(1).float().div_(127.5).sub_(1)


def train_autoencoder(images: np.ndarray, chances: Tensor, run: Run) -> Any:
    """Fit on random crops of films drawn with `chances`, then whiten the latents: unit variance per channel."""
    torch.manual_seed(SEED)
    net = new_autoencoder()
    rows = drawn_rows(len(images), BATCH, SEED, chances)

    def batch(step: int) -> Tensor:
        return film_tensor(_crops(images, rows(step).numpy(), np.random.default_rng((SEED, step, rank()))))

    def loss(crops: Tensor) -> Tensor:
        posterior = net.encode(crops).latent_dist
        rebuilt = net.decode(posterior.sample()).sample
        return _distance(rebuilt.float(), crops) + KL_WEIGHT * posterior.kl().float().mean() / _elements()

    options = TrainerOptions(seed=SEED, precision=quick_precision(), average=0.999)
    fit("autoencoder", net, TrainingTask(batch, loss), run, options)
    _whiten(net, images)
    return net


def _elements() -> int:
    return LATENT_CHANNELS * (CROP // STRIDE) ** 2


def _crops(images: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    down, across = (rng.integers(0, images.shape[axis] - CROP + 1, len(rows)) for axis in (1, 2))
    return np.stack([images[r, y : y + CROP, x : x + CROP] for r, y, x in zip(rows, down, across, strict=True)])


def _distance(rebuilt: Tensor, film: Tensor) -> Tensor:
    """L1 and squares of pixels and of their slopes, and L1 of coarser copies.

    Squares make the few pixels of a tube or a lead count: with L1 alone they are the last to be learnt.
    """
    error = rebuilt - film
    total = error.abs().mean() + 5 * error.square().mean()
    for axis in (2, 3):
        slope = error.diff(dim=axis)
        total = total + slope.abs().mean() + 5 * slope.square().mean()
    for scale in (2, 4):
        total = total + F.avg_pool2d(error, scale).abs().mean()
    return total


@torch.no_grad()
def encode(net: Any, images: np.ndarray, batch: int = 64) -> Tensor:
    """Mean latents, float32 (n, 4, H/4, W/4)."""
    parts = []
    for start in range(0, len(images), batch):
        films = film_tensor(images[start : start + batch]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=quick_precision() == "bfloat16"):
            parts.append(net.encode(films).latent_dist.mean.float())
    return torch.cat(parts)


@torch.no_grad()
def _whiten(net: Any, images: np.ndarray) -> None:
    """Fold each channel's mean and spread into the two 1 x 1 convolutions at the latents."""
    latents = encode(net, images[:2000])
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    quant, post = net.quant_conv, net.post_quant_conv
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= spread[None, :, None, None]
    quant.weight[:LATENT_CHANNELS] /= spread[:, None, None, None]
    quant.bias[:LATENT_CHANNELS] = (quant.bias[:LATENT_CHANNELS] - mean) / spread
    quant.bias[LATENT_CHANNELS:] -= 2 * spread.log()
