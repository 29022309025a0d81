"""Train the denoiser: a U-Net over 16 x 16 latents that listens to the frozen text tower."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.compat import torchvision_ready
from models.diffusion.autoencoder import LATENT_CHANNELS
from models.diffusion.text_tower import WIDTH
from models.diffusion.training import Schedule, fit, shuffled

BATCH = 32
DROP_TEXT = 0.1  # share of films learnt without their text, for guidance
SNR_CEILING = 5.0  # min-SNR weighting, Hang et al. 2023
TAIL_POWER = 0.6  # 0 draws films as they come, 1 draws every finding equally often


def new_denoiser() -> Any:
    """A `UNet2DConditionModel` of two scales; attention only at 8 x 8, where it costs little on a CPU."""
    torchvision_ready()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 160), layers_per_block=1, cross_attention_dim=WIDTH, attention_head_dim=4,
        norm_num_groups=32,
    )  # fmt: skip


def new_scheduler() -> Any:
    """DPM-Solver++ over a cosine schedule that ends in pure noise, so that exposure is learnt too."""
    torchvision_ready()
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing", algorithm_type="dpmsolver++", solver_order=2, steps_offset=1,
    )  # fmt: skip


def film_chances(labels: np.ndarray, good: np.ndarray, power: float = TAIL_POWER) -> Tensor:
    """How likely each film is drawn: its rarest finding decides; films that the gates refuse are never drawn."""
    share = labels.mean(0).clip(1 / len(labels))
    rarity = np.where(labels > 0, share[None] ** -power, 0).max(1)
    normal = float(np.median(rarity[rarity > 0])) if (rarity > 0).any() else 1.0
    return torch.from_numpy(np.where(rarity > 0, rarity, normal) * good).float()


def train_denoiser(
    latents: Tensor, states: Tensor, silence: Tensor, chances: Tensor, schedule: Schedule, checkpoint: Path,
    progress: Callable[[str], None] = print,
) -> Any:  # fmt: skip
    """Fit with v-prediction and min-SNR weights.

    Args:
        latents: (n, 8, 16, 16).
        states: text states (n, wordings, 77, width); one wording is picked each time.
        silence: state of the empty prompt (77, width).
        chances: how likely each film is drawn, (n,).
    """
    torch.manual_seed(9)
    net = new_denoiser().to(memory_format=torch.channels_last)
    keep = new_scheduler().alphas_cumprod.float().clamp(min=0)
    rows = shuffled(len(latents), BATCH, 9, chances)

    def loss(_: int) -> Tensor:
        at = next(rows)
        text = states[at, torch.randint(states.shape[1], (BATCH,))].float()
        text = torch.where(torch.rand(BATCH, 1, 1) < DROP_TEXT, silence.float(), text)
        time = torch.randint(len(keep), (BATCH,))
        signal, noise = keep[time].view(-1, 1, 1, 1), torch.randn_like(latents[at])
        film = latents[at]
        noisy = signal.sqrt() * film + (1 - signal).sqrt() * noise
        target = signal.sqrt() * noise - (1 - signal).sqrt() * film
        with torch.autocast("cpu", torch.bfloat16):
            guess = net(
                noisy.contiguous(memory_format=torch.channels_last), time, encoder_hidden_states=text
            ).sample
        ratio = (signal / (1 - signal)).flatten()
        weight = (ratio.clamp(max=SNR_CEILING) + 1) / (ratio + 1)  # + 1: pure noise must be learnt as well
        return (weight * (guess.float() - target).square().mean((1, 2, 3))).mean() / weight.mean()

    return fit(net, loss, schedule, checkpoint, "denoiser", progress, decay=0.9995)
