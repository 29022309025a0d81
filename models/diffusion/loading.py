"""Load a diffusers pipeline the way a profile asks for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from models.compat import torchvision_ready
from models.diffusion.families import Layout


def load_pipeline(
    layout: Layout, *, device: str | None, dtype: str, scheduler: str | None, attention: str, slicing: Sequence[str],
    compile: bool,
) -> Any:  # fmt: skip
    """The pipeline on its device; the options are those of `models.diffusion.pipeline.DiffusersImageGenerator`.

    Raises:
        RuntimeError: xformers is asked for where it cannot run.
        ValueError: an option that does not suit this pipeline's class.
    """
    torchvision_ready()
    import diffusers
    import torch

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    name, family = layout.index["_class_name"], layout.family
    if attention == "xformers":
        _check_xformers(device, name, family.xformers)
    if "attention" in slicing and family.denoiser != "unet":
        raise ValueError(f"the attention of a {name} cannot be sliced: leave attention out of slicing")
    absent = {part: None for part, origin in layout.index.items() if isinstance(origin, list) and origin[0] is None}
    pipeline: Any = getattr(diffusers, name).from_pretrained(
        layout.folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True,
        low_cpu_mem_usage=False, **(absent | dict(family.load)),
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    if scheduler is not None:
        pipeline.scheduler = layout.scheduler(scheduler, pipeline.scheduler.config)
    if attention == "xformers":
        pipeline.enable_xformers_memory_efficient_attention()
    if "attention" in slicing:
        pipeline.enable_attention_slicing()
    if "vae" in slicing:
        pipeline.vae.enable_slicing()
    denoiser = getattr(pipeline, family.denoiser)
    for part in (denoiser, pipeline.vae) if family.denoiser == "unet" else (pipeline.vae,):
        part.to(memory_format=torch.channels_last)
    if compile:
        denoiser.compile()
    return pipeline.to(device)


def _check_xformers(device: str, pipeline: str, suits: bool) -> None:
    if not suits:
        raise RuntimeError(f"xformers has no kernel for the attention of a {pipeline}: set attention to sdpa")
    if not device.startswith("cuda"):
        raise RuntimeError(f"xformers needs a CUDA GPU, and this runs on {device}: set attention to sdpa")
    if importlib.util.find_spec("xformers") is None:
        raise RuntimeError("xformers is not installed: `pip install 'synthcxr[xformers]'`, or set attention to sdpa")
