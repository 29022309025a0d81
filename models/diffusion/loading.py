"""Load a diffusers pipeline with the options of a profile."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from models.compat import torchvision_ready
from models.diffusion.families import Layout
from models.diffusion.options import DiffusersOptions

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


def load_pipeline(layout: Layout, options: DiffusersOptions) -> Any:
    """The pipeline of `layout` on its device, as `options` ask for it.

    Raises:
        RuntimeError: xformers is asked for where it cannot run.
        ValueError: an option that does not suit this pipeline's class.
    """
    torchvision_ready()
    import diffusers
    import torch

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    name, family = layout.index["_class_name"], layout.family
    if options.attention == "xformers":
        _check_xformers(device, name, family.xformers)
    if "attention" in options.slicing and family.denoiser != "unet":
        raise ValueError(f"the attention of a {name} cannot be sliced: leave attention out of slicing")
    absent = {part: None for part, origin in layout.index.items() if isinstance(origin, list) and origin[0] is None}
    pipeline: Any = getattr(diffusers, name).from_pretrained(
        layout.folder, dtype=getattr(torch, options.dtype), use_safetensors=True, local_files_only=True,
        low_cpu_mem_usage=False, **(absent | dict(family.load)),
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    if options.scheduler is not None:
        pipeline.scheduler = layout.scheduler(options.scheduler, pipeline.scheduler.config)
    if options.attention == "xformers":
        pipeline.enable_xformers_memory_efficient_attention()
    if "attention" in options.slicing:
        pipeline.enable_attention_slicing()
    if "vae" in options.slicing:
        pipeline.vae.enable_slicing()
    denoiser = getattr(pipeline, family.denoiser)
    for part in (denoiser, pipeline.vae) if family.denoiser == "unet" else (pipeline.vae,):
        part.to(memory_format=torch.channels_last)
    if options.compile:
        denoiser.compile()
    elif family.denoiser == "unet":
        read_text_once(denoiser)
    if device == "cpu" and sys.platform == "linux":
        keep_freed_memory()
    return pipeline.to(device)


def keep_freed_memory() -> None:
    """Let glibc keep some freed memory: given back and taken anew at every step, it costs 2 % of the time and more."""
    settle = getattr(ctypes.CDLL(None), "mallopt", None)
    if settle is not None:  # musl has no such thing
        settle(_MMAP_THRESHOLD, 64 << 20)
        settle(_TRIM_THRESHOLD, 256 << 20)


def read_text_once(unet: Any) -> None:
    """Keys and values of a text are computed at the first step that needs them and reused by the others."""
    from diffusers.models.attention_processor import Attention

    for part in unet.modules():
        if isinstance(part, Attention) and part.is_cross_attention:
            linears: tuple[Any, ...] = (part.to_k, part.to_v)
            for linear in linears:
                linear.forward = _Once(linear.forward)


class _Once:
    """A module's `forward` that gives the tensor that it saw last the answer that it gave, but in training."""

    def __init__(self, forward: Callable[[Any], Any]) -> None:
        self._forward, self._asked, self._answer = forward, None, None

    def __call__(self, states: Any) -> Any:
        import torch

        if torch.is_grad_enabled():
            return self._forward(states)
        if states is not self._asked:
            self._asked, self._answer = states, self._forward(states)
        return self._answer


def _check_xformers(device: str, pipeline: str, suits: bool) -> None:
    if not suits:
        raise RuntimeError(f"xformers has no kernel for the attention of a {pipeline}: set attention to sdpa")
    if not device.startswith("cuda"):
        raise RuntimeError(f"xformers needs a CUDA GPU, and this runs on {device}: set attention to sdpa")
    if importlib.util.find_spec("xformers") is None:
        raise RuntimeError("xformers is not installed: `pip install 'synthcxr[xformers]'`, or set attention to sdpa")
