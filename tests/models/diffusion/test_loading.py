"""What loading adds to a pipeline: texts are read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.diffusion.loading import read_text_once
from models.diffusion.pipeline import DiffusersImageGenerator
from tests.models.diffusion.tiny import REQUESTS, generator

STEPS = 4
Tiny = Callable[..., Path]


def as_diffusers_has_it(made: DiffusersImageGenerator) -> DiffusersImageGenerator:
    """The same generator with every module's own forward."""
    for part in made.denoiser.modules():
        part.__dict__.pop("forward", None)
    return made


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusionXLPipeline"])
def test_films_are_those_of_a_pipeline_that_reads_the_text_at_every_step(name: str, tiny_of: Tiny) -> None:
    made, plain = (generator(tiny_of(name), steps=STEPS) for _ in range(2))
    as_diffusers_has_it(plain)
    for requests in (REQUESTS, REQUESTS[::-1], REQUESTS[:1]):
        for one, other in zip(made.generate(requests), plain.generate(requests), strict=True):
            assert np.array_equal(one, other)


def test_what_guidance_leads_away_from_is_read_once_and_changes_no_film(tiny_of: Tiny) -> None:
    made = generator(tiny_of("StableDiffusionPipeline"), negative_prompt="text", batch=1, steps=STEPS)
    read: list[int] = []
    made.pipeline.text_encoder.register_forward_pre_hook(lambda _, ids: read.append(len(ids[0])))
    films = made.generate(REQUESTS)
    assert read == [1, 1, 1, 1]  # three prompts, and once what to lead away from
    whole = made.pipeline(
        [request.prompt for request in REQUESTS], negative_prompt=["text"] * 3, num_inference_steps=STEPS,
        guidance_scale=made.options.guidance, output_type="np", height=32, width=32,
        generator=[torch.Generator("cpu").manual_seed(request.seed) for request in REQUESTS],
    ).images  # fmt: skip
    assert max(np.abs(255 * one.mean(-1) - film).max() for one, film in zip(whole, films, strict=True)) <= 1.5


def test_keys_are_worked_out_once_for_a_text_but_at_every_step_of_a_training(tiny_of: Tiny) -> None:
    unet = as_diffusers_has_it(generator(tiny_of("StableDiffusionPipeline"))).denoiser
    linear = next(part.to_k for name, part in unet.named_modules() if name.endswith("attn2"))
    asked: list[torch.Tensor] = []
    whole = linear.forward
    linear.forward = lambda states: asked.append(states) or whole(states)
    before = set(unet.state_dict())
    read_text_once(unet)
    text, other = torch.zeros(1, 3, linear.in_features), torch.ones(1, 3, linear.in_features)
    with torch.inference_mode():
        answers = [linear(states) for states in (text, text, other, text)]
    assert len(asked) == 3
    assert torch.equal(answers[0], answers[3])
    assert not torch.equal(answers[0], answers[2])
    linear(text)
    assert linear(text).requires_grad
    assert len(asked) == 5
    assert set(unet.state_dict()) == before
