"""Train the autoencoder: films to 16 x 16 latents of 8 channels and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.compat import torchvision_ready
from models.diffusion.training import Schedule, fit, rank, shuffled

LATENT_CHANNELS = 8
CROP, BATCH = 64, 8
KL_WEIGHT = 5e-4


def new_autoencoder() -> Any:
    """An `AutoencoderKL` of 8 x 8 pixels per latent: eight channels keep a nodule of six pixels and thin tubes."""
    torchvision_ready()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    build: Any = AutoencoderKL  # its own types say that every tuple holds one block
    return build(
        in_channels=1, out_channels=1, latent_channels=LATENT_CHANNELS, sample_size=128,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 48, 96, 128), layers_per_block=1, norm_num_groups=8,
        mid_block_add_attention=False, scaling_factor=1.0,
    )  # fmt: skip


def film_tensor(images: np.ndarray) -> Tensor:
    """Grey films uint8 (n, H, W) as float (n, 1, H, W) in -1..1."""
    return torch.from_numpy(images).unsqueeze(1).float().div_(127.5).sub_(1)


def train_autoencoder(
    images: np.ndarray, schedule: Schedule, checkpoint: Path, progress: Callable[[str], None] = print
) -> Any:
    """Fit on random crops, then whiten the latents, so that the denoiser meets unit variance in each channel."""
    torch.manual_seed(3)
    net = new_autoencoder().to(memory_format=torch.channels_last)
    rows = shuffled(len(images), BATCH, seed=3)
    dice = np.random.default_rng((3, rank()))

    def loss(_: int) -> Tensor:
        crops = film_tensor(_crops(images, next(rows).numpy(), dice)).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = net.encode(crops).latent_dist
            rebuilt = net.decode(posterior.sample()).sample
        return _distance(rebuilt.float(), crops) + KL_WEIGHT * posterior.kl().float().mean() / _elements()

    fit(net, loss, schedule, checkpoint, "autoencoder", progress)
    _whiten(net, images)
    return net


def _elements() -> int:
    return LATENT_CHANNELS * (CROP // 8) ** 2


def _crops(images: np.ndarray, rows: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    down, across = (dice.integers(0, images.shape[axis] - CROP + 1, len(rows)) for axis in (1, 2))
    return np.stack([images[r, y : y + CROP, x : x + CROP] for r, y, x in zip(rows, down, across, strict=True)])


def _distance(rebuilt: Tensor, film: Tensor) -> Tensor:
    """L1 of pixels, of their slopes (edges, tubes) and of coarser copies (shading)."""
    error = rebuilt - film
    total = error.abs().mean()
    for axis in (2, 3):
        total = total + error.diff(dim=axis).abs().mean()
    for scale in (2, 4):
        total = total + F.avg_pool2d(error, scale).abs().mean()
    return total


@torch.no_grad()
def encode(net: Any, images: np.ndarray, batch: int = 64) -> Tensor:
    """Mean latents, float32 (n, 8, H/8, W/8)."""
    parts = []
    for start in range(0, len(images), batch):
        films = film_tensor(images[start : start + batch]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
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
