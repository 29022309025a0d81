"""Tiny text-to-image pipelines of every class that we draw with: real modules, random weights, saved as real ones."""

# diffusers exports its classes lazily, and annotates parts that may be None or of another scheduler as if not.
# pyright: reportPrivateImportUsage=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from models.build.text_tower import new_tokenizer
from models.compat import torchvision_ready
from models.contracts import ImageRequest
from models.diffusion.options import DiffusersOptions
from models.diffusion.pipeline import DiffusersImageGenerator

TEXTS = ["Moderate left pleural effusion.", "Mild cardiomegaly and right pacemaker.", "Large lung nodule; no edema."]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,;"
WIDTH = 16
REQUESTS = [
    ImageRequest("a", "Moderate left pleural effusion.", 11),
    ImageRequest("b", "Mild cardiomegaly; right pacemaker.", 12),
    ImageRequest("c", "", 13),
]


def generator(folder: Path, **options: Any) -> DiffusersImageGenerator:
    """The generator of the pipeline in `folder`, with two steps."""
    return DiffusersImageGenerator(DiffusersOptions(model=str(folder), **{"steps": 2, "device": "cpu", **options}))


def _clip(folder: Path, kind: str) -> tuple[Any, Any]:
    import transformers

    tokenizer = new_tokenizer(TEXTS, folder / "clip")
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=2,
        num_attention_heads=2, projection_dim=WIDTH, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return tokenizer, getattr(transformers, kind)(config)


def _t5(width: int = WIDTH) -> tuple[Any, Any]:
    """One token a letter, so that a prompt of letters has as many tokens and an end."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    vocab: Any = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((sign, -2.0) for sign in LETTERS)]
    tokenizer = T5Tokenizer(vocab=vocab, extra_ids=0)
    config = T5Config(vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=2)
    return tokenizer, T5EncoderModel(config)


def _gemma() -> tuple[Any, Any]:
    from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer

    signs = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *LETTERS]
    tokenizer = GemmaTokenizer(vocab={sign: place for place, sign in enumerate(signs)}, merges=[])
    config = Gemma2Config(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=WIDTH, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    return tokenizer, Gemma2Model(config)


def _vae(channels: int, latent_channels: int, **options: Any) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    build: Any = AutoencoderKL
    return build(
        in_channels=channels, out_channels=channels, latent_channels=latent_channels, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 8, 8), mid_block_add_attention=False, **options,
    )  # fmt: skip


def _unet(latent_channels: int, cross: int, **options: Any) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=4, in_channels=latent_channels, out_channels=latent_channels, cross_attention_dim=cross,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=2, **options,
    )  # fmt: skip


def stable_diffusion(folder: Path, channels: int = 3, latent_channels: int = 4) -> Any:
    """Stable Diffusion 1.x and RoentGen; with one channel, ours."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_pndm import PNDMScheduler

    tokenizer, encoder = _clip(folder, "CLIPTextModel")
    return StableDiffusionPipeline(
        vae=_vae(channels, latent_channels), unet=_unet(latent_channels, WIDTH), text_encoder=encoder,
        tokenizer=tokenizer, scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # pyright: ignore  # fmt: skip


def stable_diffusion_xl(folder: Path) -> Any:
    """Two CLIP towers, joined by feature."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    (first, one), (second, two) = _clip(folder, "CLIPTextModel"), _clip(folder, "CLIPTextModelWithProjection")
    unet = _unet(
        4, 2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDTH,
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=_vae(3, 4), unet=unet, text_encoder=one, text_encoder_2=two, tokenizer=first, tokenizer_2=second,
        scheduler=EulerDiscreteScheduler(), add_watermarker=False,
    )  # pyright: ignore  # fmt: skip


def stable_diffusion_3(folder: Path, t5: bool = True) -> Any:
    """Two CLIP towers and, joined by position, T5."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    (first, one), (second, two) = (_clip(folder, "CLIPTextModelWithProjection") for _ in range(2))
    third, three = _t5(2 * WIDTH) if t5 else (None, None)
    transformer = SD3Transformer2DModel(
        sample_size=4, patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=2 * WIDTH, caption_projection_dim=16, pooled_projection_dim=2 * WIDTH, out_channels=4,
        pos_embed_max_size=16,
    )  # fmt: skip
    return StableDiffusion3Pipeline(
        transformer=transformer, vae=_vae(3, 4, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=one, text_encoder_2=two, text_encoder_3=three, tokenizer=first, tokenizer_2=second,
        tokenizer_3=third, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # pyright: ignore  # fmt: skip


def _pixart(name: str) -> Any:
    import diffusers

    tokenizer, encoder = _t5()
    transformer = diffusers.PixArtTransformer2DModel(
        sample_size=4, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=2, in_channels=4,
        out_channels=8, cross_attention_dim=16, caption_channels=WIDTH, use_additional_conditions=False,
    )  # fmt: skip
    return getattr(diffusers, name)(
        tokenizer=tokenizer, text_encoder=encoder, vae=_vae(3, 4), transformer=transformer,
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )  # fmt: skip


def pixart_alpha(_: Path) -> Any:
    """T5 of 120 tokens."""
    return _pixart("PixArtAlphaPipeline")


def pixart_sigma(_: Path) -> Any:
    """T5 of 300 tokens."""
    return _pixart("PixArtSigmaPipeline")


def sana(_: Path) -> Any:
    """A Gemma tower, linear attention and a deep-compression autoencoder, here of 8 pixels per latent."""
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel

    tokenizer, encoder = _gemma()
    vae: Any = AutoencoderDC
    transformer = SanaTransformer2DModel(
        sample_size=4, patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=8, num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16,
        caption_channels=WIDTH,
    )  # fmt: skip
    return SanaPipeline(
        tokenizer=tokenizer, text_encoder=encoder, transformer=transformer,
        vae=vae(
            latent_channels=4, attention_head_dim=2, encoder_block_types="ResBlock", decoder_block_types="ResBlock",
            encoder_block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
            encoder_layers_per_block=(1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1),
            encoder_qkv_multiscales=((),) * 4, decoder_qkv_multiscales=((),) * 4,
            downsample_block_type="conv", upsample_block_type="interpolate",
            decoder_norm_types="rms_norm", decoder_act_fns="silu",
        ),
        scheduler=DPMSolverMultistepScheduler(
            use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
        ),
    )  # pyright: ignore  # fmt: skip


BUILDERS: Mapping[str, Callable[..., Any]] = {
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "SanaPipeline": sana,
    "PixArtAlphaPipeline": pixart_alpha,
    "PixArtSigmaPipeline": pixart_sigma,
}


def save_tiny(folder: Path, build: Callable[..., Any], **options: Any) -> Path:
    """Build a pipeline of 32 x 32 films with seeded weights and save it under `folder`."""
    torchvision_ready()
    import torch

    torch.manual_seed(0)
    pipeline = build(folder, **options)
    pipeline.save_pretrained(folder / "pipeline", safe_serialization=True)
    return folder / "pipeline"
