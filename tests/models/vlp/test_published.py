"""Published models embed films and texts as the libraries that they come from do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from models.contracts import ModelNotFound
from models.vlp.library import open_clip
from models.vlp.published import load_published, published_folder
from tests.models.vlp.made_up import SIDE, hf_clip_folder, open_clip_folder

TEXTS = ("left pleural effusion", "no effusions")
FILMS = np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE), np.uint8)


@pytest.fixture(scope="module")
def open_clip_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_clip_folder(tmp_path_factory.mktemp("open-clip"))


@pytest.fixture(scope="module")
def hf_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_clip_folder(tmp_path_factory.mktemp("hf-clip"))


def unit(rows: Any) -> np.ndarray:
    return F.normalize(rows, dim=-1).detach().numpy()


def test_an_open_clip_folder_embeds_as_open_clip_does(open_clip_model: Path) -> None:
    model = load_published(open_clip_model, "mine")
    library = open_clip()
    net = library.create_model(f"local-dir:{open_clip_model}").eval()
    transform = library.create_model_from_pretrained(f"local-dir:{open_clip_model}")[1]
    images = torch.stack([transform(Image.fromarray(film)) for film in FILMS])
    with torch.inference_mode():
        wanted = unit(net.encode_image(images)), unit(net.encode_text(library.tokenize(list(TEXTS), 16)))
    assert model.film_size == SIDE
    np.testing.assert_allclose(model.embed_images(FILMS), wanted[0], atol=1e-5)
    np.testing.assert_allclose(model.embed_texts(TEXTS), wanted[1], atol=1e-5)


def test_a_clip_of_transformers_embeds_as_transformers_does(hf_model: Path) -> None:
    from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

    model = load_published(hf_model, "mine")
    net = CLIPModel.from_pretrained(hf_model).eval()
    processor = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    images = processor([np.repeat(film[:, :, None], 3, axis=2) for film in FILMS], return_tensors="pt")
    texts = AutoTokenizer.from_pretrained(hf_model)(list(TEXTS), padding=True, return_tensors="pt")
    with torch.inference_mode():
        wanted = net(
            input_ids=texts["input_ids"], attention_mask=texts["attention_mask"], pixel_values=images["pixel_values"]
        )
    np.testing.assert_allclose(model.embed_images(FILMS), unit(wanted.image_embeds), atol=1e-5)
    np.testing.assert_allclose(model.embed_texts(TEXTS), unit(wanted.text_embeds), atol=1e-5)
    assert model.embed_images(FILMS[:0]).shape == (0, 16)


def test_the_places_of_a_clip_of_transformers_are_its_patches(hf_model: Path) -> None:
    model = load_published(hf_model, "mine")
    [regions] = list(model.embed_regions(FILMS))
    assert regions.shape == (3, 2, 2, 16)
    net = model.module.net
    views = model.views(torch.from_numpy(FILMS[:1]))
    with torch.inference_mode():
        tokens = net.vision_model(pixel_values=views).last_hidden_state[0, 1:]
        wanted = net.visual_projection(net.vision_model.post_layernorm(tokens)).reshape(2, 2, 16)
    np.testing.assert_allclose(regions[0], wanted.numpy(), atol=1e-6)


def test_films_are_normalised_as_the_model_says(hf_model: Path, tmp_path: Path) -> None:
    for path in hf_model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    stated = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    view = load_published(tmp_path, "mine").views(torch.full((1, 2, 2), 255, dtype=torch.uint8))
    assert view[0, :, 0, 0].tolist() == [2.0, 1.0, 0.5]
    stated["image_std"] = [0.0, 1.0, 1.0]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    with pytest.raises(ModelNotFound, match=r"preprocessor_config.json: its std is .* not three numbers above 0"):
        load_published(tmp_path, "mine")


@pytest.mark.parametrize("kind", ["open_clip_model", "model"])
def test_truncated_weights_are_named(kind: str, open_clip_model: Path, hf_model: Path, tmp_path: Path) -> None:
    source = open_clip_model if kind == "open_clip_model" else hf_model
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / f"{kind}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelNotFound, match=rf"{kind}\.safetensors") as raised:
        load_published(tmp_path, "mine")
    assert "\n" not in str(raised.value)


def test_weights_of_another_tower_are_told_in_one_line(open_clip_model: Path, tmp_path: Path) -> None:
    config = json.loads((open_clip_model / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 2
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    (tmp_path / "open_clip_model.safetensors").write_bytes(
        (open_clip_model / "open_clip_model.safetensors").read_bytes()
    )
    with pytest.raises(ModelNotFound, match=r"does not fit open_clip_config.json: \d+ weights are missing") as raised:
        load_published(tmp_path, "mine")
    assert "\n" not in str(raised.value)


def test_pickles_are_refused_with_how_to_convert_them(hf_model: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((hf_model / "config.json").read_bytes())
    pickle = tmp_path / "pytorch_model.bin"
    pickle.write_bytes(b"x")
    for refused in (lambda: load_published(tmp_path, "mine"), lambda: published_folder(str(pickle))):
        with pytest.raises(ModelNotFound, match=r"pytorch_model\.bin is no safetensors file .*: convert it"):
            refused()


def test_what_is_not_on_this_machine_is_told_with_how_to_get_it(tmp_path: Path) -> None:
    for name in ("hf-hub:nobody/nothing", "nobody/nothing"):
        with pytest.raises(ModelNotFound, match="is not on this machine: run `hf download nobody/nothing`"):
            published_folder(name)
    with pytest.raises(ModelNotFound, match=r"run `hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K`"):
        published_folder("ViT-B-32/laion2b_s34b_b79k")
    with pytest.raises(ModelNotFound, match="there is no model 'nonsense': give a trial's fingerprint"):
        published_folder("nonsense")
    with pytest.raises(ModelNotFound, match=r"holds neither open_clip_config.json nor config.json"):
        load_published(tmp_path, str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelNotFound, match="is a model of type 'bert'"):
        load_published(tmp_path, str(tmp_path))
