"""Tiny pipelines with random weights, saved the way real ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.compat import torchvision_ready
from models.diffusion.text_tower import new_tokenizer

TEXTS = ["Moderate left pleural effusion.", "Mild cardiomegaly and right pacemaker.", "Large lung nodule; no edema."]


def save_tiny_pipeline(folder: Path, channels: int, latent_channels: int) -> Path:
    """A `StableDiffusionPipeline` of 32 x 32 films with `channels` colours."""
    torchvision_ready()
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_pndm import PNDMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = new_tokenizer(TEXTS, folder / "tokenizer")
    vae: Any = AutoencoderKL
    parts: dict[str, Any] = {
        "vae": vae(
            in_channels=channels, out_channels=channels, latent_channels=latent_channels, norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4, 4, 8, 8), mid_block_add_attention=False,
        ),
        "unet": UNet2DConditionModel(
            sample_size=4, in_channels=latent_channels, out_channels=latent_channels, cross_attention_dim=16,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=2,
        ),
        "text_encoder": CLIPTextModel(CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, eos_token_id=tokenizer.eos_token_id,
        )),
    }  # fmt: skip
    pipeline = StableDiffusionPipeline(
        tokenizer=tokenizer, scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False, **parts,
    )  # pyright: ignore  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One grey channel and eight latent ones, like ours."""
    return save_tiny_pipeline(tmp_path_factory.mktemp("tiny"), channels=1, latent_channels=8)


@pytest.fixture(scope="session")
def roentgen_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three colours and four latent channels, like Stable Diffusion 1.x."""
    return save_tiny_pipeline(tmp_path_factory.mktemp("roentgen"), channels=3, latent_channels=4)
