"""Every pipeline class that we draw with, built tiny, saved and loaded through the real code."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.contracts import ImageRequest, ModelNotFound
from models.diffusion.families import FAMILIES
from models.diffusion.pipeline import DiffusersImageGenerator
from tests.models.diffusion.tiny import REQUESTS as THREE
from tests.models.diffusion.tiny import generator

REQUESTS = [*THREE, ImageRequest("d", "Moderate left pleural effusion.", 14)]
TOKENS = {"PixArtAlphaPipeline": 120, "PixArtSigmaPipeline": 300, "SanaPipeline": 300, "StableDiffusion3Pipeline": 256}
Tiny = Callable[..., Path]


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def edited(folder: Path, to: Path, **changes: Any) -> Path:
    shutil.copytree(folder, to)
    index = json.loads((to / "model_index.json").read_text())
    (to / "model_index.json").write_text(json.dumps(index | changes))
    return to


@pytest.mark.parametrize("name", FAMILIES)
class TestEveryClass:
    def test_a_film_is_a_grey_square_that_depends_on_its_seed_and_not_on_its_batch(
        self, name: str, tiny_of: Tiny
    ) -> None:
        made = generator(tiny_of(name), batch=4)
        together = made.generate(REQUESTS)
        assert {(film.shape, film.dtype) for film in together} == {((32, 32), np.dtype(np.uint8))}
        made.batch = 1
        alone = [made.generate([request])[0] for request in reversed(REQUESTS)][::-1]
        assert max(map(apart, together, alone)) <= 1
        assert apart(together[0], together[3]) > 8  # same prompt, another seed

    def test_the_card_names_the_class_and_what_runs(self, name: str, tiny_of: Tiny) -> None:
        card = generator(tiny_of(name)).card
        assert card.details["pipeline"] == name
        assert (card.details["attention"], card.details["device"]) == ("sdpa", "cpu")
        assert len(card.sha256) == 64

    def test_tokens_are_counted_uncut_against_what_the_towers_read(self, name: str, tiny_of: Tiny) -> None:
        made = generator(tiny_of(name))
        assert made.token_limit == TOKENS.get(name, 77)
        none, long = made.count_tokens(["", "effusion " * 400])
        assert none <= 2
        assert long > made.token_limit

    def test_words_within_the_limit_enter_the_denoiser_and_words_beyond_it_do_not(
        self, name: str, tiny_of: Tiny
    ) -> None:
        made = generator(tiny_of(name), guidance=1.0)
        word = "a " if name in TOKENS else "effusion "
        full, short = word * made.token_limit, word * 20
        assert made.count_tokens([f"{short}cardiomegaly"])[0] <= made.token_limit < made.count_tokens([full])[0]
        assert heard(made, full) == heard(made, f"{full}cardiomegaly")
        assert heard(made, short) != heard(made, f"{short}cardiomegaly")


def heard(made: DiffusersImageGenerator, prompt: str) -> bytes:
    """What of a prompt enters the denoiser."""
    seen: list[torch.Tensor] = []

    def keep(_: Any, __: Any, told: dict[str, Any]) -> None:
        seen.append(told["encoder_hidden_states"])

    hook = made.denoiser.register_forward_pre_hook(keep, with_kwargs=True)
    made.generate([ImageRequest("s", prompt, 5)])
    hook.remove()
    return seen[0].numpy().tobytes()


def test_words_that_only_t5_reads_still_enter_an_sd3_and_without_t5_the_limit_falls(tiny_of: Tiny) -> None:
    made = generator(tiny_of("StableDiffusion3Pipeline"), guidance=1.0)
    beyond_clip = "b " * 90
    assert 77 < made.count_tokens([beyond_clip])[0] <= made.token_limit == 256
    assert heard(made, beyond_clip + "x") != heard(made, beyond_clip + "y")
    without = generator(tiny_of("StableDiffusion3Pipeline", t5=False), guidance=1.0)
    assert without.token_limit == 77
    assert without.count_tokens([beyond_clip])[0] > 77
    assert heard(without, beyond_clip + "x") == heard(without, beyond_clip + "y")


def test_the_towers_of_an_sdxl_read_as_far_as_the_shorter_one(tiny_of: Tiny, tmp_path: Path) -> None:
    folder = edited(tiny_of("StableDiffusionXLPipeline"), tmp_path / "xl")
    settings = json.loads((folder / "tokenizer_2" / "tokenizer_config.json").read_text())
    (folder / "tokenizer_2" / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 60}))
    assert generator(folder).token_limit == 60


def test_resolution_and_negative_prompt_reach_every_kind_of_denoiser(tiny_of: Tiny) -> None:
    for name in ("StableDiffusionXLPipeline", "StableDiffusion3Pipeline", "SanaPipeline", "PixArtSigmaPipeline"):
        plain, told = (generator(tiny_of(name), resolution=64, negative_prompt=n) for n in (None, "text on the film"))
        one, other = (made.generate(REQUESTS[:2]) for made in (plain, told))
        assert [film.shape for film in one + other] == [(64, 64)] * 4


@pytest.mark.parametrize(
    ("name", "scheduler", "kind"),
    [
        ("StableDiffusionXLPipeline", "ddim", "DDIMScheduler"),
        ("PixArtAlphaPipeline", "unipc", "UniPCMultistepScheduler"),
        ("StableDiffusion3Pipeline", "flow-euler", "FlowMatchEulerDiscreteScheduler"),
        ("SanaPipeline", "flow-euler", "FlowMatchEulerDiscreteScheduler"),
        ("SanaPipeline", "flow-dpmsolver++", "DPMSolverMultistepScheduler"),
    ],
)
def test_a_scheduler_that_suits_the_model_takes_over(name: str, scheduler: str, kind: str, tiny_of: Tiny) -> None:
    made = generator(tiny_of(name), scheduler=scheduler)
    assert made.generate(REQUESTS[:1])[0].dtype == np.uint8
    assert made.card.details["scheduler"] == kind
    config = made.pipeline.scheduler.config
    if scheduler.startswith("flow-"):
        assert config.get("flow_shift", config.get("shift")) == 3.0  # what the model was trained with


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("StableDiffusion3Pipeline", "ddim"),
        ("StableDiffusion3Pipeline", "flow-dpmsolver++"),
        ("SanaPipeline", "euler"),
        ("PixArtAlphaPipeline", "flow-euler"),
    ],
)
def test_a_scheduler_of_another_kind_of_model_is_refused(name: str, scheduler: str, tiny_of: Tiny) -> None:
    with pytest.raises(ValueError, match=re.escape(f"scheduler '{scheduler}' cannot sample a {name}: leave")):
        generator(tiny_of(name), scheduler=scheduler).generate(REQUESTS[:1])


def test_slicing_changes_memory_and_no_film(tiny_of: Tiny) -> None:
    folder = tiny_of("StableDiffusionXLPipeline")
    plain, sliced = generator(folder), generator(folder, slicing=["vae", "attention"])
    assert max(map(apart, plain.generate(REQUESTS), sliced.generate(REQUESTS))) <= 1
    assert sliced.card.details["attention"] == "sliced"
    assert sliced.pipeline.vae.use_slicing
    with pytest.raises(ValueError, match="attention of a SanaPipeline cannot be sliced"):
        generator(tiny_of("SanaPipeline"), slicing=["attention"]).generate(REQUESTS[:1])
    with pytest.raises(ValueError, match="Input should be 'vae' or 'attention'"):
        generator(folder, slicing=["text"])


def test_compile_compiles_the_denoiser_and_nothing_else(tiny_of: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    for name in ("StableDiffusionPipeline", "SanaPipeline"):
        generator(tiny_of(name), compile=True).generate(REQUESTS[:1])
    assert compiled == ["UNet2DConditionModel", "SanaTransformer2DModel"]


def test_xformers_where_there_is_no_kernel_for_it_says_so(tiny_of: Tiny) -> None:
    with pytest.raises(RuntimeError, match="no kernel for the attention of a SanaPipeline"):
        generator(tiny_of("SanaPipeline"), attention="xformers", device="cuda").generate(REQUESTS[:1])


def test_memory_that_runs_out_while_sana_decodes_halves_the_batch(
    tiny_of: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generator(tiny_of("SanaPipeline"), batch=4)
    whole = made.pipeline.vae.decode

    def decode(latents: torch.Tensor, *args: Any, **options: Any) -> Any:
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(latents, *args, **options)

    monkeypatch.setattr(made.pipeline.vae, "decode", decode)
    with pytest.warns(UserWarning, match="out of memory"):
        assert len(made.generate(REQUESTS)) == 4
    assert made.card.details["batch"] == "1"


def test_a_class_that_we_do_not_know_lists_those_that_we_do(tiny_of: Tiny, tmp_path: Path) -> None:
    folder = edited(tiny_of("SanaPipeline"), tmp_path / "flux", _class_name="FluxPipeline")
    with pytest.raises(ModelNotFound, match=r"'FluxPipeline'; pipelines that draw films: StableDiffusionPipeline, "):
        generator(folder).count_tokens(["x"])


def test_a_part_with_code_of_its_own_is_refused(tiny_of: Tiny, tmp_path: Path) -> None:
    folder = edited(tiny_of("SanaPipeline"), tmp_path / "own", transformer=["my_transformer", "Mine"])
    with pytest.raises(ModelNotFound, match=r"transformer comes from 'my_transformer', whose code is never run"):
        generator(folder).generate(REQUESTS[:1])


def test_a_second_text_encoder_without_safetensors_is_named(tiny_of: Tiny, tmp_path: Path) -> None:
    folder = edited(tiny_of("StableDiffusionXLPipeline"), tmp_path / "lost")
    (folder / "text_encoder_2" / "model.safetensors").unlink()
    with pytest.raises(ModelNotFound, match=r"text_encoder_2 holds no \*\.safetensors"):
        generator(folder).generate(REQUESTS[:1])
