"""Draw films with a diffusers pipeline: ours, RoentGen's, or any other of a class that `families` knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from models.contracts import ImageRequest, ModelCard
from models.diffusion.families import SCHEDULERS, Layout
from models.diffusion.loading import load_pipeline
from models.diffusion.weights import find_pipeline, weights_sha256
from models.typed import Count, one_of

CHOICES: dict[str, tuple[str | None, ...]] = {
    "scheduler": (None, *SCHEDULERS),
    "attention": ("sdpa", "xformers"),
    "dtype": ("float32", "bfloat16", "float16"),
    "slicing": ("vae", "attention"),
}


class DiffusersImageGenerator:
    """Text to films through a text-to-image pipeline of `families`, loaded when the first film is asked for.

    Each film has a generator of its own, seeded on the CPU, so that neither batch size nor device changes it
    beyond rounding. A film with a value that is no number is returned as float32, so that the gate sees it.

    Args:
        model: ``builtin:phantom``, a folder in the diffusers layout, or a hub id.
        steps: denoising steps.
        guidance: classifier-free guidance; 1 or less turns it off and halves the time.
        scheduler: a name of `SCHEDULERS` that suits the model; None keeps the pipeline's own.
        attention: ``sdpa``, or ``xformers`` where a GPU and the package are there.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        resolution: side in pixels; None takes what the model was trained on.
        batch: films at a time; halved for good when memory runs out. The card says what fitted.
        device: None takes a GPU if there is one.
        negative_prompt: what guidance leads away from.
        revision: of a hub id.
        compile: compile the denoiser when it first runs (needs a C++ compiler on a CPU).
        slicing: ``vae`` decodes film by film, ``attention`` takes a U-Net's heads one by one: slower, less memory.

    Raises:
        ValueError: an option has no such value.
    """

    def __init__(
        self, model: str = "builtin:phantom", steps: Annotated[int, Field(ge=1, le=1000)] = 16,
        guidance: Annotated[float, Field(ge=0, le=100)] = 3.0,
        scheduler: Annotated[str | None, one_of(*SCHEDULERS)] = None,
        attention: Literal["sdpa", "xformers"] = "sdpa",
        dtype: Literal["float32", "bfloat16", "float16"] = "float32",
        resolution: Annotated[int, Field(ge=16, le=4096, multiple_of=8)] | None = None, batch: Count = 16,
        device: Annotated[str, Field(pattern=r"^[a-z]+(:\d+)?$")] | None = None, negative_prompt: str | None = None,
        revision: str | None = None, compile: bool = False, slicing: Sequence[Literal["vae", "attention"]] = (),
    ) -> None:  # fmt: skip
        told = {"scheduler": (scheduler,), "attention": (attention,), "dtype": (dtype,), "slicing": tuple(slicing)}
        for option, values in told.items():
            for value in values:
                if value not in CHOICES[option]:
                    known = ", ".join(str(choice) for choice in CHOICES[option] if choice is not None)
                    raise ValueError(f"unknown {option} {value!r}: choose one of {known}")
        if steps < 1 or batch < 1:
            raise ValueError(f"steps ({steps}) and batch ({batch}) must be at least 1")
        self.model, self.steps, self.guidance, self.scheduler = model, steps, guidance, scheduler
        self.attention, self.dtype, self.resolution, self.batch = attention, dtype, resolution, batch
        self.device, self.negative_prompt, self.revision = device, negative_prompt, revision
        self.compile, self.slicing = compile, told["slicing"]

    @cached_property
    def layout(self) -> Layout:
        """The folder with the weights and what its class needs."""
        return Layout(find_pipeline(self.model, self.revision))

    @cached_property
    def pipeline(self) -> Any:
        """The loaded diffusers pipeline.

        Raises:
            ModelNotFound: weights are missing, or of a pipeline that we do not know.
            RuntimeError: xformers is asked for where it cannot run.
            ValueError: an option that does not suit this pipeline.
        """
        return load_pipeline(
            self.layout, device=self.device, dtype=self.dtype, scheduler=self.scheduler, attention=self.attention,
            slicing=self.slicing, compile=self.compile,
        )  # fmt: skip

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
            "dtype": self.dtype,
            "steps": str(self.steps),
            "guidance": str(self.guidance),
            "batch": str(self.batch),
        }
        licence = "Apache-2.0" if self.model.startswith("builtin:") else "see the model's own card"
        return ModelCard("diffusers", self.model, self.revision or self._digest[:12], self._digest, licence, details)

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
                **self._texts([request.prompt for request in requests]), num_inference_steps=self.steps,
                guidance_scale=self.guidance, height=high, width=wide, output_type="np",
                generator=[torch.Generator("cpu").manual_seed(request.seed % 2**63) for request in requests],
                **self.layout.family.options,
            ).images  # fmt: skip
        return [grey(image) for image in drawn]

    def _texts(self, prompts: list[str]) -> dict[str, Any]:
        """What to draw and what to lead away from; the latter is read once for all films where the class allows it."""
        if self.layout.family.plain_states and self.guidance > 1:
            states, _ = self.pipeline.encode_prompt(prompts, self.pipeline.device, 1, False)
            return {"prompt_embeds": states, "negative_prompt_embeds": self._away.expand_as(states)}
        away = {} if self.negative_prompt is None else {"negative_prompt": [self.negative_prompt] * len(prompts)}
        return {"prompt": prompts, **away}

    @cached_property
    def _away(self) -> Any:
        return self.pipeline.encode_prompt([self.negative_prompt or ""], self.pipeline.device, 1, False)[0]

    @property
    def _size(self) -> tuple[int, int]:
        """Height and width in pixels; Sana would otherwise draw 1024 whatever it was trained on."""
        sides: Any = self.resolution or self.denoiser.config.sample_size
        scale = 1 if self.resolution else self.pipeline.vae_scale_factor
        high, wide = (sides, sides) if isinstance(sides, int) else sides
        return high * scale, wide * scale

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
    if isinstance(error, MemoryError | UnboundLocalError):  # the latter is what Sana makes of it after a warning
        return True
    return any(sign in str(error).lower() for sign in ("out of memory", "can't allocate memory"))
