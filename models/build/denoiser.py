"""Train the denoiser: a U-Net over 32 x 32 latents that listens to the frozen text tower."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.build.autoencoder import LATENT_CHANNELS
from models.build.text_tower import WIDTH
from models.compat import torchvision_ready
from models.training.loop import Schedule, fit, shuffled

BATCH = 16  # per process
DROP_TEXT = 0.1  # share of films learnt without their text, for guidance
SNR_CEILING = 5.0  # min-SNR weighting, Hang et al. 2023
TAIL_POWER, NORMAL_SHARE = 0.85, 0.4  # prompts ask for every finding alike, hospital A does not show them so


def new_denoiser() -> Any:
    """A `UNet2DConditionModel` of four scales; attention only at 8 x 8, where it costs little on a CPU."""
    torchvision_ready()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=32, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 64, 128, 160), layers_per_block=1, cross_attention_dim=WIDTH, attention_head_dim=4,
        norm_num_groups=8,
    )  # fmt: skip


def new_scheduler() -> Any:
    """DPM-Solver++ over a cosine schedule that ends in pure noise, so that exposure is learnt too."""
    torchvision_ready()
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing", algorithm_type="dpmsolver++", solver_order=2, steps_offset=1,
    )  # fmt: skip


def film_chances(labels: np.ndarray, good: np.ndarray, power: float, normal: float) -> Tensor:
    """How likely each film is drawn: its rarest finding decides, and films that the gates refuse never are.

    Args:
        labels: (n, findings) of 0 and 1.
        good: which films the gates accept, (n,) of bool.
        power: 0 draws films as they come, 1 draws every finding about equally often.
        normal: chance of a film without findings as a share of the median of the others.
    """
    share = labels.mean(0).clip(1 / len(labels))
    rarity = np.where(labels > 0, share[None] ** -power, 0).max(1)
    usual = float(np.median(rarity[rarity > 0])) if (rarity > 0).any() else 1.0
    return torch.from_numpy(np.where(rarity > 0, rarity, usual * normal) * good).float()


def train_denoiser(
    latents: Tensor, states: Tensor, wordings: Tensor, silence: Tensor, chances: Tensor, schedule: Schedule,
    checkpoint: Path, progress: Callable[[str], None] = print, start: Any = None,
) -> Any:  # fmt: skip
    """Fit with v-prediction and min-SNR weights.

    Args:
        latents: (n, 4, 32, 32).
        states: states of all texts (texts, 77, width).
        wordings: rows of `states` that describe each film, (n, ways to put it); one is picked each time.
        silence: state of the empty prompt (77, width).
        chances: how likely each film is drawn, (n,).
        schedule: how long.
        checkpoint: where to keep the state.
        progress: called with lines of text.
        start: a net of `new_denoiser`'s inputs to go on from, changed in place; None begins a new one.
    """
    from diffusers.models.attention_processor import AttnProcessor

    torch.manual_seed(9)
    net = new_denoiser() if start is None else start
    net.set_attn_processor(AttnProcessor())  # its backward pass is twice as fast on a CPU as the fused one's
    keep = new_scheduler().alphas_cumprod.float()
    rows = shuffled(len(latents), BATCH, 9, chances)

    def loss(_: int) -> Tensor:
        at = next(rows)
        film, noise = latents[at], torch.randn(BATCH, *latents.shape[1:])
        text = states[wordings[at, torch.randint(wordings.shape[1], (BATCH,))]].float()
        text = torch.where(torch.rand(BATCH, 1, 1) < DROP_TEXT, silence.float(), text)
        time = torch.randint(len(keep), (BATCH,))
        signal = keep[time].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * film + (1 - signal).sqrt() * noise
        target = signal.sqrt() * noise - (1 - signal).sqrt() * film
        with torch.autocast("cpu", torch.bfloat16):
            guess = net(noisy, time, encoder_hidden_states=text).sample
        ratio = (signal / (1 - signal)).flatten()
        weight = (ratio.clamp(max=SNR_CEILING) + 1) / (ratio + 1)  # + 1: pure noise must be learnt as well
        return (weight * (guess.float() - target).square().mean((1, 2, 3))).mean() / weight.mean()

    return fit(net, loss, schedule, checkpoint, "denoiser", progress, decay=0.999)
