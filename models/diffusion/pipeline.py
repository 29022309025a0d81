"""Draw films with a diffusers pipeline: ours, RoentGen's, or any other of a class in `families`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from models.contracts import ImageRequest, ModelCard
from models.diffusion.families import Layout
from models.diffusion.loading import load_pipeline
from models.diffusion.options import DiffusersOptions
from models.diffusion.weights import find_pipeline, weights_sha256


class DiffusersImageGenerator:
    """Text to films through a text-to-image pipeline of `families`, loaded when the first film is asked for.

    Each film has a generator of its own, seeded on the CPU, so that neither batch size nor device changes it
    beyond rounding. A film with a value that is no number is returned as float32, so that the gate sees it.

    Args:
        options: see `DiffusersOptions`; None takes every default.

    Attributes:
        batch: films at a time; falls when memory runs out.
    """

    options_model = DiffusersOptions

    def __init__(self, options: DiffusersOptions | None = None) -> None:
        self.options = options or DiffusersOptions()
        self.batch = self.options.batch

    @cached_property
    def layout(self) -> Layout:
        """The folder with the weights and what its class needs."""
        return Layout(find_pipeline(self.options.model, self.options.revision))

    @cached_property
    def pipeline(self) -> Any:
        """The loaded diffusers pipeline.

        Raises:
            ModelNotFound: weights are missing, or of an unsupported pipeline.
            RuntimeError: xformers is asked for where it cannot run.
            ValueError: an option that does not suit this pipeline.
        """
        return load_pipeline(self.layout, self.options)

    @property
    def denoiser(self) -> Any:
        """The pipeline's module that takes the steps."""
        return getattr(self.pipeline, self.layout.family.denoiser)

    @cached_property
    def _digest(self) -> str:
        return weights_sha256(self.layout.folder)

    @property
    def card(self) -> ModelCard:
        """What was loaded, with the attention, the device and the batch that really run."""
        processor = type(next(iter(self.denoiser.attn_processors.values()))).__name__
        details = {
            "pipeline": type(self.pipeline).__name__,
            "attention": "xformers" if "XFormers" in processor else "sliced" if "Sliced" in processor else "sdpa",
            "attention_processor": processor,
            "scheduler": type(self.pipeline.scheduler).__name__,
            "device": str(self.pipeline.device),
            "dtype": self.options.dtype,
            "steps": str(self.options.steps),
            "guidance": str(self.options.guidance),
            "batch": str(self.batch),
        }
        model, revision = self.options.model, self.options.revision or self._digest[:12]
        licence = "Apache-2.0" if model.startswith("builtin:") else "see the model's own card"
        return ModelCard("diffusers", model, revision, self._digest, licence, details)

    @property
    def token_limit(self) -> int:
        """Tokens of a prompt that the text towers read, special ones included."""
        return self.layout.token_limit

    def count_tokens(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt, uncut, special ones included."""
        return self.layout.count_tokens(prompts)

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
            except (RuntimeError, MemoryError, UnboundLocalError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._shrink(len(part), error)
        return films

    def _draw(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        import torch

        high, wide = self._size
        with torch.inference_mode():
            drawn = self.pipeline(
                **self._texts([request.prompt for request in requests]), num_inference_steps=self.options.steps,
                guidance_scale=self.options.guidance, height=high, width=wide, output_type="np",
                generator=[torch.Generator("cpu").manual_seed(request.seed % 2**63) for request in requests],
                **self.layout.family.options,
            ).images  # fmt: skip
        return [grey(image) for image in drawn]

    def _texts(self, prompts: list[str]) -> dict[str, Any]:
        """What to draw and what to lead away from; the latter is read once for all films where the class allows it."""
        if self.layout.family.plain_states and self.options.guidance > 1:
            states, _ = self.pipeline.encode_prompt(prompts, self.pipeline.device, 1, False)
            return {"prompt_embeds": states, "negative_prompt_embeds": self._away.expand_as(states)}
        away = (
            {}
            if self.options.negative_prompt is None
            else {"negative_prompt": [self.options.negative_prompt] * len(prompts)}
        )
        return {"prompt": prompts, **away}

    @cached_property
    def _away(self) -> Any:
        return self.pipeline.encode_prompt([self.options.negative_prompt or ""], self.pipeline.device, 1, False)[0]

    @property
    def _size(self) -> tuple[int, int]:
        """Height and width in pixels; Sana would otherwise draw 1024 whatever it was trained on."""
        sides: Any = self.options.resolution or self.denoiser.config.sample_size
        scale = 1 if self.options.resolution else self.pipeline.vae_scale_factor
        high, wide = (sides, sides) if isinstance(sides, int) else sides
        return high * scale, wide * scale

    def _shrink(self, tried: int, error: BaseException) -> None:
        if tried == 1:
            raise MemoryError(
                f"a single film of {self.options.model} does not fit into memory: lower "
                "images.generator.options.resolution, or choose dtype bfloat16"
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
    if isinstance(error, MemoryError | UnboundLocalError):  # the latter is what Sana makes of it after a warning
        return True
    return any(sign in str(error).lower() for sign in ("out of memory", "can't allocate memory"))
