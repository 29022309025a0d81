"""Any open_clip model is trained, kept and asked as ours is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.vlp.model import VisionLanguageModel, channels_of, create, load
from models.vlp.objectives import TrainingBatch, build_objective, preparation
from models.vlp.views import plain_view
from tests.models.vlp.made_up import CLIP_TEXT, RESIDUAL, SIDE, TIMM, TRANSFORMER, model_folder, word_pieces

TEXTS = ("Left pleural effusion.", "Cardiomegaly.", "No pneumothorax.")
TOWERS = {"transformer": TRANSFORMER, "residual": RESIDUAL, "timm": TIMM}


def films() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE), np.uint8)


def batch_of(model: VisionLanguageModel) -> TrainingBatch:
    return TrainingBatch(model.seen(plain_view(torch.from_numpy(films()))), model.tokenizer(TEXTS), TEXTS)


@pytest.mark.parametrize("config", TOWERS.values(), ids=TOWERS)
def test_it_embeds_grey_films_and_texts_and_survives_saving(tmp_path: Path, config: dict[str, Any]) -> None:
    name = model_folder(tmp_path, config)
    model = create(name, seed=1)
    assert model.film_size == SIDE
    assert channels_of(model.module) == 3
    images, texts = model.embed_images(films()), model.embed_texts(TEXTS)
    assert images.shape == texts.shape == (3, 16)
    assert np.linalg.norm(images, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    again = load(model.to_bytes(), name)
    assert again.embed_images(films()) == pytest.approx(images, abs=1e-5)
    assert again.embed_texts(TEXTS) == pytest.approx(texts, abs=1e-5)


@pytest.mark.parametrize("config", TOWERS.values(), ids=TOWERS)
def test_clip_trains_both_towers(tmp_path: Path, config: dict[str, Any]) -> None:
    model = create(model_folder(tmp_path, config), seed=1, prepare=preparation("clip", {}))
    model.module.train()
    build_objective("clip", {}).losses(model, batch_of(model))["contrastive"].backward()
    assert all(weight.grad is not None for weight in model.module.parameters())


def test_a_grey_film_is_the_same_in_every_channel_and_one_channel_stays_one(tmp_path: Path) -> None:
    view = plain_view(torch.from_numpy(films()))
    seen = create(model_folder(tmp_path, TIMM)).seen(view)
    assert seen.shape == (3, 3, SIDE, SIDE)
    assert all(torch.equal(seen[:, [channel]], view) for channel in range(3))
    assert torch.equal(create().seen(view), view)


@pytest.mark.parametrize("kind", ["convirt", "convirt_mgca", "gloria"])
@pytest.mark.parametrize("own", [False, True], ids=["clip", "word_pieces"])
def test_objectives_over_words_train_on_a_vocabulary_of_the_towers_own(tmp_path: Path, kind: str, own: bool) -> None:
    text = CLIP_TEXT | {"vocab_size": 32, "hf_tokenizer_name": "bert-base-uncased", "pool_type": "first"}
    name = model_folder(tmp_path, TIMM | {"text_cfg": text} if own else TIMM)
    if own:
        word_pieces(tmp_path)
    prepare = preparation(kind, {})
    model = create(name, seed=1, prepare=prepare)
    model.module.train()
    sum(build_objective(kind, {}).losses(model, batch_of(model)).values(), torch.tensor(0.0)).backward()
    trained = [weight for weight in model.module.parameters() if weight.requires_grad]
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in trained)
    again = load(model.to_bytes(), name, prepare=prepare)
    assert again.embed_texts(TEXTS) == pytest.approx(model.embed_texts(TEXTS), abs=1e-5)
    assert next(iter(again.embed_regions(films()))).shape[0] == 3
