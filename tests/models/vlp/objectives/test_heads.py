"""Objectives with layers of their own: what they are made of, what they are trained with, and how they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.vlp.features import mean_of_words, words_of
from models.vlp.heads import heads_of
from models.vlp.losses.contrast import Directions, contrast, cosines
from models.vlp.losses.gloria import LocalSimilarity, local_similarities
from models.vlp.model import VisionLanguageModel, create, load
from models.vlp.objectives import TrainingBatch, build_objective, objective_problems, preparation
from models.vlp.objectives.gloria import GloriaHeads

HEADED = ("convirt", "convirt_mgca", "gloria")
TEXTS = ("Cardiomegaly.", "Left pleural effusion.", "No acute abnormality.", "Cardiomegaly.")


def made(kind: str, **options: Any) -> VisionLanguageModel:
    return create(seed=2, device="cpu", prepare=preparation(kind, options))


def batch_of(model: VisionLanguageModel) -> TrainingBatch:
    images = torch.randn((4, 1, 96, 96), generator=torch.Generator().manual_seed(0))
    return TrainingBatch(images, model.tokenizer(TEXTS), TEXTS)


def losses(model: VisionLanguageModel, kind: str, **options: Any) -> dict[str, Tensor]:
    return build_objective(kind, options).losses(model, batch_of(model))


def embeddings(model: VisionLanguageModel) -> tuple[Tensor, Tensor]:
    heads, batch = heads_of(model.module), batch_of(model)
    assert heads is not None
    words = model.tokenizer.word_ids(TEXTS)
    return heads.embed_images(model.module, batch.images), heads.embed_texts(model.module, batch.tokens, words)


def layers(network: Any) -> list[tuple[type[nn.Module], tuple[int, ...]]]:
    """The kind of each layer, and the shape of its weight."""
    weights = [getattr(layer, "weight", None) for layer in network]
    shapes = [() if weight is None else tuple(weight.shape) for weight in weights]
    return list(zip(map(type, network), shapes, strict=True))


def test_convirt_has_linear_relu_linear_to_512() -> None:
    heads: Any = made("convirt").heads
    expected = [(nn.Linear, (128, 128)), (nn.ReLU, ()), (nn.Linear, (512, 128))]
    assert layers(heads.image) == layers(heads.text) == expected
    assert layers(made("convirt", hidden=64, width=32).module.heads.image)[0] == (nn.Linear, (64, 128))


def test_mgcas_convirt_ends_in_a_batch_norm_without_weights() -> None:
    heads: Any = made("convirt_mgca").heads
    norm, last = (nn.BatchNorm1d, (2048,)), (nn.BatchNorm1d, ())
    expected = [(nn.Linear, (2048, 128)), norm, (nn.ReLU, ()), (nn.Linear, (128, 2048)), last]
    assert layers(heads.image) == layers(heads.text) == expected


def test_gloria_brings_images_and_regions_to_the_width_of_the_texts() -> None:
    heads = made("gloria").heads
    assert isinstance(heads, GloriaHeads)
    assert heads.regions.weight.shape == (128, 64, 1, 1)
    assert heads.regions.bias is None
    assert heads.image.weight.shape == (128, 128)
    assert heads.width == 128


@pytest.mark.parametrize(
    ("kind", "temperature", "directions"),
    [("convirt", 0.1, Directions(0.75, 0.25)), ("convirt_mgca", 0.07, Directions(1, 1))],
)
def test_convirts_loss_is_that_of_its_embeddings(kind: str, temperature: float, directions: Directions) -> None:
    model = made(kind)
    model.module.eval()
    images, texts = embeddings(model)
    expected = contrast(cosines(images, texts) / temperature, directions)
    torch.testing.assert_close(losses(model, kind)["contrastive"], expected)


def test_glorias_terms_are_those_of_regions_and_words_and_of_the_whole() -> None:
    model = made("gloria")
    model.module.eval()
    heads, batch = heads_of(model.module), batch_of(model)
    assert isinstance(heads, GloriaHeads)
    text = heads.text_features(model.module, batch.tokens, model.tokenizer.word_ids(TEXTS))
    image = heads.image_features(model.module, batch.images)
    assert image.regions.shape == (4, 128, 6, 6)
    local = local_similarities(image.regions.flatten(2).transpose(1, 2), words_of(text), LocalSimilarity())
    found = losses(model, "gloria")
    torch.testing.assert_close(found["local"], contrast(10 * local, Directions(1, 1)))
    torch.testing.assert_close(
        found["global"], contrast(10 * cosines(image.pooled, mean_of_words(text)), Directions(1, 1))
    )
    weighed = losses(model, "gloria", local_weight=0.5, global_weight=2.0)
    torch.testing.assert_close(weighed["local"], 0.5 * found["local"])
    torch.testing.assert_close(weighed["global"], 2 * found["global"])


@pytest.mark.parametrize("kind", ["clip", *HEADED])
def test_equal_texts_can_be_positives(kind: str) -> None:
    """Two of the four texts are equal, so that the loss differs; where none are, it does not."""
    model = made(kind)
    model.module.eval()
    as_negative, as_positive = (losses(model, kind, same_text=same) for same in ("negative", "positive"))
    for name, value in as_negative.items():
        assert not torch.allclose(value, as_positive[name]), name
    whole = batch_of(model)
    apart = TrainingBatch(whole.images[:3], whole.tokens[:3], TEXTS[:3])
    one, other = (build_objective(kind, {"same_text": same}).losses(model, apart) for same in ("negative", "positive"))
    for name, value in one.items():
        torch.testing.assert_close(value, other[name])


@pytest.mark.parametrize("kind", HEADED)
def test_every_weight_that_is_trained_has_a_gradient(kind: str) -> None:
    """Processes that train together wait for the gradient of every weight that is not frozen."""
    model = made(kind)
    torch.stack(list(losses(model, kind).values())).sum().backward()
    trained = {name: weight for name, weight in model.module.named_parameters() if weight.requires_grad}
    assert [name for name, weight in trained.items() if weight.grad is None] == []
    frozen = {name for name, weight in model.module.named_parameters() if not weight.requires_grad}
    assert frozen == {"visual.head.proj.weight", "text.text_projection", "logit_scale"}


@pytest.mark.parametrize("kind", HEADED)
def test_the_heads_are_kept_with_the_model_and_embed(kind: str) -> None:
    model = made(kind)
    films = np.random.default_rng(0).integers(0, 255, (3, 96, 96), np.uint8)
    again = load(model.to_bytes(), prepare=preparation(kind, {}))
    images, texts = again.embed_images(films), again.embed_texts(TEXTS)
    assert images == pytest.approx(model.embed_images(films), abs=1e-6)
    assert texts == pytest.approx(model.embed_texts(TEXTS), abs=1e-6)
    assert model.heads is not None
    assert images.shape == (3, model.heads.width)
    assert np.linalg.norm(texts, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert again.embed_texts([]).shape == (0, images.shape[1])
    expected = F.normalize(embeddings(model)[1], dim=1).detach().numpy()
    assert texts == pytest.approx(expected, abs=1e-5), "in evaluation as in training, once in evaluation mode"


@pytest.mark.parametrize("kind", HEADED)
def test_the_towers_start_from_the_same_weights_with_and_without_heads(kind: str) -> None:
    plain, headed = create(seed=2).module.state_dict(), made(kind).module.state_dict()
    assert {name for name in headed if not name.startswith("heads.")} == set(plain)
    assert all(torch.equal(headed[name], value) for name, value in plain.items())
    again = made(kind).module.state_dict()
    assert all(torch.equal(again[name], value) for name, value in headed.items())


def test_clip_adds_nothing_to_the_model() -> None:
    assert made("clip").to_bytes() == create(seed=2).to_bytes()
    assert load(create(seed=2).to_bytes(), prepare=preparation("gloria", {})).heads is None


def test_clips_scale_starts_and_ends_where_the_options_say() -> None:
    module = made("clip", temperature=0.5).module
    assert float(module.logit_scale.detach().exp()) == pytest.approx(2.0)
    objective: Any = build_objective("clip", {"largest_scale": 8.0})
    for start, end in ((5.0, 8.0), (-1.0, 1.0), (1.5, np.exp(1.5))):
        with torch.no_grad():
            module.logit_scale.fill_(start)
            objective.constrain(module)
        assert float(module.logit_scale.detach().exp()) == pytest.approx(end, rel=1e-6)


def test_weights_with_heads_are_loaded_with_their_objective_only() -> None:
    weights = made("convirt").to_bytes()
    with pytest.raises(ValueError, match="hold the heads of an objective: say which"):
        load(weights)
    with pytest.raises(ValueError, match="no weights of 'synthcxr-tiny'"):
        load(weights, prepare=preparation("gloria", {}))


def test_a_model_without_the_heads_is_refused() -> None:
    for kind in HEADED:
        with pytest.raises(ValueError, match="no heads"):
            losses(create(), kind)


@pytest.mark.parametrize(
    ("kind", "options", "path", "told"),
    [
        ("convirt", {"temperature": 0.0}, "options.temperature", "greater than or equal to 0.001"),
        ("convirt", {"image_to_text": 1.5}, "options.image_to_text", "less than or equal to 1"),
        ("convirt", {"width": 0}, "options.width", "greater than or equal to 1"),
        ("convirt", {"lambda": 0.5}, "options.lambda", "has no option 'lambda'"),
        ("convirt_mgca", {"hidden": "2048"}, "options.hidden", "take the quotes off"),
        ("convirt_mgca", {"text_pool": "first"}, "options.text_pool", "'mean', 'max' or 'tower'"),
        ("gloria", {"aggregate": "max"}, "options.aggregate", "'sum' or 'mean'"),
        ("gloria", {"chunk": 0}, "options.chunk", "greater than or equal to 1"),
        ("gloria", {"word_scale": float("nan")}, "options.word_scale", "finite"),
        ("gloria", {"enlarge_to": 8}, "options.enlarge_to", "greater than or equal to 16"),
        ("clip", {"same_text": "both"}, "options.same_text", "'negative' or 'positive'"),
        ("clip", {"temperature": 0}, "options.temperature", "greater than or equal to 0.01"),
    ],
)
def test_a_wrong_number_is_told_with_its_path(kind: str, options: dict[str, object], path: str, told: str) -> None:
    found = objective_problems(kind, options)
    assert list(found) == [path]
    assert told in found[path]
