"""The text-conditional noise gap, which is large where a prompt calls up one training film by heart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from models.contracts import ImageRequest


class NoGap(ValueError):
    """The generator predicts no noise without text beside the noise with it, so that there is no gap to measure."""


def noise_gaps(generator: Any, requests: Sequence[ImageRequest]) -> np.ndarray:
    """Mean over the steps of the norm of noise with text minus noise without, per value of the latent: (n,).

    d_mem of Wen et al., ICLR 2024 (arXiv 2407.21720, section 3.3), taken while the sampler draws as it always does.

    Args:
        generator: an image generator with a diffusers `pipeline`, a `guidance` above 1 and a `batch`.
        requests: what to draw.

    Raises:
        NoGap: the sampler does not expose it.
    """
    pipeline = getattr(generator, "pipeline", None)
    denoiser = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    if denoiser is None:
        raise NoGap(f"{type(generator).__name__} has no denoiser to listen to: only diffusers pipelines have one")
    if generator.options.guidance <= 1:
        raise NoGap(
            "without guidance nothing is predicted without text: set images.generator.options.guidance above 1"
        )
    gaps = []
    for start in range(0, len(requests), generator.batch):
        part = requests[start : start + generator.batch]
        with _listening(denoiser) as heard:
            generator.generate(part)
        steps = [step for step in heard if len(step) == len(part)]
        if not steps:
            raise NoGap("the denoiser was not asked with and without text in one batch")
        gaps.append(np.mean(steps, axis=0))
    return np.concatenate(gaps) if gaps else np.zeros(0)


@contextmanager
def _listening(denoiser: Any) -> Iterator[list[np.ndarray]]:
    heard: list[np.ndarray] = []

    def hear(_module: Any, _given: Any, answer: Any) -> None:
        noise = answer[0] if isinstance(answer, tuple) else answer.sample
        if len(noise) % 2 == 0:
            without, with_text = noise.float().chunk(2)
            gap = (with_text - without).flatten(1)
            heard.append((gap.norm(dim=1) / gap.shape[1] ** 0.5).cpu().numpy())

    hook = denoiser.register_forward_hook(hear)
    try:
        yield heard
    finally:
        hook.remove()
