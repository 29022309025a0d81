"""Draw films with a diffusers pipeline: ours, RoentGen's or any other of the same layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.compat import torchvision_ready
from models.contracts import ImageRequest, ModelCard
from models.diffusion.weights import find_pipeline, weights_sha256

SCHEDULERS = {
    "ddim": "DDIMScheduler",
    "dpmsolver++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "pndm": "PNDMScheduler",
    "unipc": "UniPCMultistepScheduler",
}
DTYPES = ("float32", "bfloat16", "float16")


class DiffusersImageGenerator:
    """Text to films through a `StableDiffusionPipeline`, loaded when the first film is asked for.

    Each film has a generator of its own, seeded on the CPU, so that neither batch size nor device changes it
    beyond rounding. A film with a value that is no number is returned as float32, so that the gate sees it.

    Args:
        model: ``builtin:phantom``, a folder in the diffusers layout, or a hub id.
        steps: denoising steps.
        guidance: classifier-free guidance; 1 or less turns it off and halves the time.
        scheduler: a name of `SCHEDULERS`; None keeps the pipeline's own.
        attention: ``sdpa``, or ``xformers`` where a GPU and the package are there.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        resolution: side in pixels; None takes what the model was trained on.
        batch: films at a time; halved for good when memory runs out.
        device: None takes a GPU if there is one.
        negative_prompt: what guidance leads away from.
        revision: of a hub id.

    Raises:
        ValueError: an option has no such value.
    """

    def __init__(
        self, model: str = "builtin:phantom", steps: int = 16, guidance: float = 3.0, scheduler: str | None = None,
        attention: Literal["sdpa", "xformers"] = "sdpa", dtype: str = "float32", resolution: int | None = None,
        batch: int = 16, device: str | None = None, negative_prompt: str | None = None, revision: str | None = None,
    ) -> None:  # fmt: skip
        if scheduler is not None and scheduler not in SCHEDULERS:
            raise ValueError(f"unknown scheduler {scheduler!r}: choose one of {', '.join(SCHEDULERS)}")
        if attention not in ("sdpa", "xformers"):
            raise ValueError(f"unknown attention {attention!r}: choose sdpa or xformers")
        if dtype not in DTYPES:
            raise ValueError(f"unknown dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
        if steps < 1 or batch < 1:
            raise ValueError(f"steps ({steps}) and batch ({batch}) must be at least 1")
        self.model, self.steps, self.guidance, self.scheduler = model, steps, guidance, scheduler
        self.attention, self.dtype, self.resolution, self.batch = attention, dtype, resolution, batch
        self.device, self.negative_prompt, self.revision = device, negative_prompt, revision

    @cached_property
    def folder(self) -> Path:
        """Where the weights lie."""
        return find_pipeline(self.model, self.revision)

    @cached_property
    def pipeline(self) -> Any:
        """The loaded diffusers pipeline.

        Raises:
            ModelNotFound: weights are missing.
            RuntimeError: xformers is asked for where it cannot run.
        """
        torchvision_ready()
        import torch
        from diffusers import schedulers
        from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

        folder, device = self.folder, self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        if self.attention == "xformers":
            _check_xformers(device)
        pipeline: Any = StableDiffusionPipeline.from_pretrained(
            folder, dtype=getattr(torch, self.dtype), use_safetensors=True, safety_checker=None,
            requires_safety_checker=False, local_files_only=True, low_cpu_mem_usage=False,
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        if self.scheduler is not None:
            kind = getattr(schedulers, SCHEDULERS[self.scheduler])
            pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
        if self.attention == "xformers":
            pipeline.enable_xformers_memory_efficient_attention()
        for part in (pipeline.unet, pipeline.vae):
            part.to(memory_format=torch.channels_last)
        return pipeline.to(device)

    @cached_property
    def tokenizer(self) -> Any:
        """The pipeline's tokenizer, which needs no weights."""
        torchvision_ready()
        from transformers import CLIPTokenizer

        return CLIPTokenizer.from_pretrained(self.folder / "tokenizer", local_files_only=True)

    @cached_property
    def card(self) -> ModelCard:
        """What was loaded, with the attention and the device that really run."""
        processor = next(iter(self.pipeline.unet.attn_processors.values()))
        details = {
            "attention": "xformers" if "XFormers" in type(processor).__name__ else "sdpa",
            "attention_processor": type(processor).__name__,
            "scheduler": type(self.pipeline.scheduler).__name__,
            "device": str(self.pipeline.device),
            "dtype": self.dtype,
            "steps": str(self.steps),
            "guidance": str(self.guidance),
        }
        digest = weights_sha256(self.folder)
        licence = "Apache-2.0" if self.model.startswith("builtin:") else "see the model's own card"
        return ModelCard("diffusers", self.model, self.revision or digest[:12], digest, licence, details)

    @property
    def token_limit(self) -> int:
        """Tokens that the text tower reads, start and end included."""
        return int(self.tokenizer.model_max_length)

    def count_tokens(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt, uncut, start and end included."""
        if not prompts:
            return []
        return [len(ids) for ids in self.tokenizer(list(prompts), truncation=False, verbose=False).input_ids]

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        """One film per request, (H, W) uint8; float32 where a value is no number.

        Raises:
            MemoryError: even a single film does not fit.
        """
        films: list[np.ndarray] = []
        while len(films) < len(requests):
            part = requests[len(films) : len(films) + self.batch]
            try:
                films += self._draw(part)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._shrink(len(part), error)
        return films

    def _draw(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        import torch

        options: dict[str, Any] = {}
        if self.negative_prompt is not None:
            options["negative_prompt"] = [self.negative_prompt] * len(requests)
        with torch.inference_mode():
            drawn = self.pipeline(
                [request.prompt for request in requests], num_inference_steps=self.steps,
                guidance_scale=self.guidance, height=self.resolution, width=self.resolution, output_type="np",
                generator=[torch.Generator("cpu").manual_seed(request.seed % 2**63) for request in requests],
                **options,
            ).images  # fmt: skip
        return [grey(image) for image in drawn]

    def _shrink(self, tried: int, error: BaseException) -> None:
        if tried == 1:
            raise MemoryError(
                f"a single film of {self.model} does not fit into memory: lower images.generator.options.resolution, "
                "or choose dtype bfloat16"
            ) from error
        self.batch = max(1, tried // 2)
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a film (H, W, channels) in 0..1; float32 as it is where a value is no number."""
    film = np.asarray(image, np.float32).mean(-1)
    if not np.isfinite(film).all():
        return film
    return (film.clip(0, 1) * 255).round().astype(np.uint8)


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _check_xformers(device: str) -> None:
    import importlib.util

    if not device.startswith("cuda"):
        raise RuntimeError(f"xformers needs a CUDA GPU, and this runs on {device}: set attention to sdpa")
    if importlib.util.find_spec("xformers") is None:
        raise RuntimeError("xformers is not installed: `pip install 'synthcxr[xformers]'`, or set attention to sdpa")
