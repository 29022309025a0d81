"""What the towers give below their projections: whole images, regions, whole texts, words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.vlp.features import (
    NoFeatures,
    TextFeatures,
    feature_widths,
    image_features,
    max_of_tokens,
    mean_of_tokens,
    mean_of_words,
    text_features,
    words_of,
)
from models.vlp.library import open_clip
from models.vlp.model import VisionLanguageModel, create

TEXTS = ("Left pleural effusion.", "Cardiomegaly.")


@pytest.fixture(scope="module")
def model() -> VisionLanguageModel:
    made = create(seed=1)
    made.module.eval()
    return made


def images(side: int = 96) -> Tensor:
    return torch.randn((2, 1, side, side), generator=torch.Generator().manual_seed(0))


def texts_of(model: VisionLanguageModel, layers: int = 1) -> TextFeatures:
    return text_features(model.module, model.tokenizer(TEXTS), model.tokenizer.word_ids(TEXTS), layers)


def test_the_projection_of_pooled_features_is_the_embedding(model: VisionLanguageModel) -> None:
    module = model.module
    image = module.visual.head(image_features(module, images()).pooled)
    text = texts_of(model).pooled @ module.text.text_projection
    torch.testing.assert_close(image, module.encode_image(images()))
    torch.testing.assert_close(text, module.encode_text(model.tokenizer(TEXTS)))


def test_regions_are_the_third_stage_at_a_sixteenth_of_the_side(model: VisionLanguageModel) -> None:
    seen: list[Tensor] = []
    hook = model.module.visual.trunk.layer3.register_forward_hook(lambda *given: seen.append(given[2]))
    regions = image_features(model.module, images()).regions
    hook.remove()
    assert regions.shape == (2, 64, 6, 6)
    assert torch.equal(regions, seen[0])
    assert feature_widths(model.module).regions == 64
    assert image_features(model.module, images(), stride=8).regions.shape == (2, 32, 12, 12)


def test_images_can_be_enlarged_before_the_tower_sees_them(model: VisionLanguageModel) -> None:
    assert image_features(model.module, images(), side=128).regions.shape == (2, 64, 8, 8)
    assert image_features(model.module, images(224), side=299).regions.shape == (2, 64, 19, 19)


def test_the_last_layers_are_summed_as_far_as_there_are_any(model: VisionLanguageModel) -> None:
    last, both, four = (texts_of(model, layers).tokens for layers in (1, 2, 4))
    assert torch.equal(both, four), "the tower has two layers"
    found = text_layers(model)
    torch.testing.assert_close(last, found[1])
    torch.testing.assert_close(both, found[0] + found[1])


def text_layers(model: VisionLanguageModel) -> list[Tensor]:
    """The output of each layer after the final norm."""
    tower = model.module.text
    seen: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda *given: seen.append(given[2])) for layer in tower.transformer.resblocks
    ]
    tower(model.tokenizer(TEXTS))
    for hook in hooks:
        hook.remove()
    return [tower.ln_final(layer) for layer in seen]


def test_start_and_words_count_and_end_and_padding_do_not(model: VisionLanguageModel) -> None:
    ids, words = model.tokenizer(TEXTS), model.tokenizer.word_ids(TEXTS)
    ends = (ids == 2).int().argmax(dim=1).tolist()
    for row, end in enumerate(ends):
        assert words[row, 0] == 0
        assert (words[row, :end] >= 0).all()
        assert (words[row, end:] == -1).all()


def test_the_pieces_of_a_word_are_summed() -> None:
    tokens = torch.arange(12.0, dtype=torch.float64).reshape(1, 6, 2)
    features = TextFeatures(tokens[:, 0], tokens, torch.tensor([[0, 1, 1, 2, -1, -1]]))
    words = words_of(features)
    assert words.embeddings[0, :3].tolist() == [[0, 1], [2 + 4, 3 + 5], [6, 7]]
    assert words.mask.tolist() == [[True, True, True, False, False, False]]
    assert mean_of_words(features).tolist() == [[12 / 3, 16 / 3]]
    assert mean_of_tokens(features).tolist() == [[12 / 4, 16 / 4]]
    assert max_of_tokens(features).tolist() == [[6, 7]]


def test_towers_without_features_are_named() -> None:
    plain = open_clip().create_model("ViT-S-32-alt", load_weights=False)
    with pytest.raises(NoFeatures, match=r"VisionTransformer gives no regions.*objective clip"):
        image_features(plain, images())
    with pytest.raises(NoFeatures, match="the text tower of CLIP gives no tokens"):
        text_features(plain, torch.zeros((1, 4), dtype=torch.long), torch.zeros((1, 4), dtype=torch.long))


def test_a_stride_that_the_tower_has_not_is_named(model: VisionLanguageModel) -> None:
    assert isinstance(model.module, nn.Module)
    with pytest.raises(NoFeatures, match=r"stride 2, 4, 8, 16, 32, none of 14"):
        image_features(model.module, images(), stride=14)
