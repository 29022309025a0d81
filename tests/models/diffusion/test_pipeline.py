"""The diffusers generator on real, tiny, random pipelines of both layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import registry
from models.contracts import ImageGenerator, ImageRequest, ModelNotFound
from models.diffusion.options import DiffusersOptions
from models.diffusion.pipeline import DiffusersImageGenerator, grey
from tests.models.diffusion.tiny import REQUESTS, generator


def test_films_are_grey_squares_of_the_size_that_the_model_was_trained_on(tiny_pipeline: Path) -> None:
    made = registry.build(registry.IMAGE_GENERATORS, "diffusers", {"model": str(tiny_pipeline), "steps": 1})
    assert isinstance(made, ImageGenerator)
    films = made.generate(REQUESTS)
    assert [(film.shape, film.dtype) for film in films] == [((32, 32), np.dtype(np.uint8))] * 3


def test_a_colour_model_like_roentgen_loads_by_the_same_class_and_gives_grey_films(roentgen_like: Path) -> None:
    films = generator(roentgen_like).generate(REQUESTS[:2])
    assert [(film.shape, film.dtype) for film in films] == [((32, 32), np.dtype(np.uint8))] * 2


def test_a_film_depends_on_its_seed_and_not_on_its_batch(tiny_pipeline: Path) -> None:
    together = generator(tiny_pipeline, batch=3).generate(REQUESTS)
    alone = [generator(tiny_pipeline, batch=1).generate([request])[0] for request in reversed(REQUESTS)][::-1]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    other_seed = generator(tiny_pipeline).generate([ImageRequest("a", REQUESTS[0].prompt, 99)])[0]
    assert np.abs(together[0].astype(int) - other_seed.astype(int)).max() > 1


def test_no_request_gives_no_film(tiny_pipeline: Path) -> None:
    assert generator(tiny_pipeline).generate([]) == []
    assert generator(tiny_pipeline).count_tokens([]) == []


def test_resolution_scheduler_and_negative_prompt_reach_the_pipeline(tiny_pipeline: Path) -> None:
    made = generator(tiny_pipeline, resolution=48, scheduler="ddim", negative_prompt="text", guidance=2.0)
    assert made.generate(REQUESTS[:1])[0].shape == (48, 48)
    assert made.card.details["scheduler"] == "DDIMScheduler"


def test_the_card_says_what_really_ran(tiny_pipeline: Path) -> None:
    card = generator(tiny_pipeline).card
    assert card.details["attention"] == "sdpa"
    assert card.details["attention_processor"] == "AttnProcessor2_0"
    assert (card.details["device"], card.details["dtype"]) == ("cpu", "float32")
    assert len(card.sha256) == 64
    assert card == generator(tiny_pipeline).card


def test_tokens_are_counted_uncut_against_the_limit(tiny_pipeline: Path) -> None:
    made = generator(tiny_pipeline)
    short, long = made.count_tokens(["", "effusion " * 100])
    assert short == 2
    assert long > made.token_limit == 77


def test_an_exhausted_memory_halves_the_batch_for_good(tiny_pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, sizes = generator(tiny_pipeline, batch=8), []
    kind = type(made.pipeline)
    whole = kind.__call__

    def call(self: object, **options: Any) -> Any:
        sizes.append(len(options["generator"]))
        if sizes[-1] > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(self, **options)

    monkeypatch.setattr(kind, "__call__", call)
    films = made.generate(REQUESTS * 2)
    assert len(films) == 6
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]
    made.generate(REQUESTS)
    assert sizes[8:] == [1, 1, 1]
    assert (made.batch, made.card.details["batch"]) == (1, "1")


def test_a_single_film_too_large_says_what_to_change(tiny_pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator(tiny_pipeline)

    def draw(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(made, "_draw", draw)
    with pytest.raises(MemoryError, match=r"lower images\.generator\.options\.resolution"):
        made.generate(REQUESTS[:1])


def test_other_errors_are_not_taken_for_exhausted_memory(tiny_pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator(tiny_pipeline)

    def draw(_: object) -> None:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(made, "_draw", draw)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        made.generate(REQUESTS[:1])


def test_a_value_that_is_no_number_stays_visible(tiny_pipeline: Path) -> None:
    import torch

    made = generator(tiny_pipeline)
    with torch.no_grad():
        made.pipeline.vae.decoder.conv_out.bias.fill_(float("nan"))
    (film,) = made.generate(REQUESTS[:1])
    assert film.dtype == np.float32
    assert np.isnan(film).all()
    half = np.full((4, 4, 1), 0.5, np.float32)
    assert (grey(half) == 128).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheduler": "dpm"}, "scheduler: unknown value 'dpm'"),
        ({"attention": "flash"}, "attention: 'flash' is not allowed: must be 'sdpa' or 'xformers'"),
        ({"dtype": "int8"}, "dtype: 'int8' is not allowed"),
        ({"steps": 0}, "steps: 0 is not allowed: must be greater than or equal to 1"),
    ],
)
def test_an_option_without_such_a_value_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        registry.build(registry.IMAGE_GENERATORS, "diffusers", options)


def test_xformers_without_a_gpu_is_refused_with_the_way_out(tiny_pipeline: Path) -> None:
    with pytest.raises(RuntimeError, match="set attention to sdpa"):
        _ = generator(tiny_pipeline, attention="xformers").pipeline


def test_missing_weights_name_the_file_and_the_remedy(tiny_pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"model_index\.json is missing.*save_pretrained"):
        generator(tmp_path).generate(REQUESTS)
    with pytest.raises(ModelNotFound, match="does not exist"):
        generator(tmp_path / "nowhere").generate(REQUESTS)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("model_index.json", "vae", "text_encoder", "tokenizer", "scheduler"):
        (copy / name).symlink_to(tiny_pipeline / name)
    (copy / "unet").mkdir()
    (copy / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelNotFound, match=r"unet holds no \*\.safetensors.*\.bin would run code"):
        generator(copy).generate(REQUESTS)


def test_an_unknown_builtin_lists_the_known_ones() -> None:
    with pytest.raises(ModelNotFound, match="builtin:phantom"):
        DiffusersImageGenerator(DiffusersOptions(model="builtin:roentgen")).count_tokens(["x"])


def test_a_hub_id_without_a_network_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound, match=r"hf download nobody/nothing"):
        DiffusersImageGenerator(DiffusersOptions(model="nobody/nothing")).count_tokens(["x"])
