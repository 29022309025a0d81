"""Train the denoiser: a U-Net over 32 x 32 latents that listens to the frozen text tower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.build.autoencoder import LATENT_CHANNELS
from models.build.fit import Run, fit, quick_precision
from models.build.text_tower import WIDTH
from models.compat import torchvision_ready
from models.training.rows import drawn_rows
from models.training.trainer import TrainerOptions, TrainingTask

BATCH, SEED = 16, 9  # a batch per process
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


@dataclass(frozen=True, slots=True)
class DescribedLatents:
    """What the denoiser learns from.

    Args:
        latents: of n films, (n, 4, 32, 32).
        states: of all texts, (texts, 77, width).
        wordings: rows of `states` that describe each film, (n, ways to put it); one is picked each time.
        silence: state of the empty prompt, (77, width).
        chances: how likely each film is drawn, (n,).
    """

    latents: Tensor
    states: Tensor
    wordings: Tensor
    silence: Tensor
    chances: Tensor


def train_denoiser(data: DescribedLatents, run: Run, start: Any = None) -> Any:
    """Fit with v-prediction and min-SNR weights.

    Args:
        data: latents with their texts.
        run: how long, and where its state is kept.
        start: a net of `new_denoiser`'s inputs to go on from, changed in place; None begins a new one.
    """
    from diffusers.models.attention_processor import AttnProcessor

    torch.manual_seed(SEED)
    net = new_denoiser() if start is None else start
    net.set_attn_processor(AttnProcessor())  # its backward pass is twice as fast on a CPU as the fused one's
    keep = new_scheduler().alphas_cumprod.float()
    rows = drawn_rows(len(data.latents), BATCH, SEED, data.chances)

    def batch(step: int) -> dict[str, Tensor]:
        at = rows(step)
        film, noise = data.latents[at], torch.randn(BATCH, *data.latents.shape[1:])
        text = data.states[data.wordings[at, torch.randint(data.wordings.shape[1], (BATCH,))]].float()
        text = torch.where(torch.rand(BATCH, 1, 1) < DROP_TEXT, data.silence.float(), text)
        time = torch.randint(len(keep), (BATCH,))
        signal = keep[time].view(-1, 1, 1, 1)
        ratio = (signal / (1 - signal)).flatten()
        return {
            "noisy": signal.sqrt() * film + (1 - signal).sqrt() * noise,
            "target": signal.sqrt() * noise - (1 - signal).sqrt() * film,
            "weight": (ratio.clamp(max=SNR_CEILING) + 1) / (ratio + 1),  # + 1: pure noise must be learnt as well
            "time": time,
            "text": text,
        }

    def loss(inputs: dict[str, Tensor]) -> Tensor:
        guess = net(inputs["noisy"], inputs["time"], encoder_hidden_states=inputs["text"]).sample.float()
        error, weight = (guess - inputs["target"]).square().mean((1, 2, 3)), inputs["weight"]
        return (weight * error).mean() / weight.mean()

    options = TrainerOptions(seed=SEED, precision=quick_precision(), average=0.999)
    return fit("denoiser", net, TrainingTask(batch, loss), run, options)
