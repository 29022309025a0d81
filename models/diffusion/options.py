"""The options of the image generator on a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from models.diffusion.families import SCHEDULERS
from models.typed import Count, Options, one_of


class DiffusersOptions(Options):
    """Options of the kind ``diffusers``."""

    model: str = Field(
        default="builtin:phantom", description="`builtin:phantom`, a folder in the diffusers layout, or a hub id"
    )
    steps: Annotated[int, Field(ge=1, le=1000)] = Field(default=16, description="denoising steps")
    guidance: Annotated[float, Field(ge=0, le=100)] = Field(
        default=3.0, description="classifier-free guidance; 1 or less turns it off and halves the time"
    )
    scheduler: Annotated[str | None, one_of(*SCHEDULERS)] = Field(
        default=None,
        description=f"one of {', '.join(f'`{name}`' for name in SCHEDULERS)} that suits the model; null keeps the "
        "pipeline's own",
    )
    attention: Literal["sdpa", "xformers"] = Field(
        default="sdpa", description="`sdpa`, or `xformers` where a GPU and the package are there"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="of the weights: `float32`, `bfloat16` or `float16`"
    )
    resolution: Annotated[int, Field(ge=16, le=4096, multiple_of=8)] | None = Field(
        default=None, description="side in pixels; null takes what the model was trained on"
    )
    batch: Count = Field(
        default=16,
        description="films at a time; halved for good when memory runs out. The model card holds what fitted",
    )
    device: Annotated[str, Field(pattern=r"^[a-z]+(:\d+)?$")] | None = Field(
        default=None, description="such as `cpu` or `cuda:0`; null takes a GPU if there is one"
    )
    negative_prompt: str | None = Field(default=None, description="what guidance leads away from")
    revision: str | None = Field(default=None, description="of a hub id")
    compile: bool = Field(
        default=False, description="compile the denoiser when it first runs (needs a C++ compiler on a CPU)"
    )
    slicing: Sequence[Literal["vae", "attention"]] = Field(
        default=(),
        description="`vae` decodes film by film, `attention` takes a U-Net's heads one by one: slower, less memory",
    )
