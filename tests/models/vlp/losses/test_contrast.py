"""CLIP's and ConVIRT's losses are what loops over plain numbers give."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from models.vlp.library import open_clip
from models.vlp.losses.contrast import MEAN, SUM, Directions, contrast, cosines
from models.vlp.losses.convirt import convirt_loss
from models.vlp.losses.same_text import SameText, positives_of
from tests.models.vlp.losses import reference

TEXTS = ("Clear.", "Nodule.", "Clear.", "Effusion.", "Clear.")


def embeddings(rows: int = 5, width: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    images, texts = torch.randn((2, rows, width), dtype=torch.float64, generator=rng)
    return images.requires_grad_(), texts.requires_grad_()


@pytest.mark.parametrize("same_text", ["negative", "positive"])
@pytest.mark.parametrize(("temperature", "directions"), [(0.1, Directions(0.75, 0.25)), (0.07, SUM), (1.0, MEAN)])
def test_convirt_equals_the_loop_in_value(temperature: float, directions: Directions, same_text: SameText) -> None:
    images, texts = embeddings()
    found = convirt_loss(images, texts, temperature, directions, positives_of(TEXTS, same_text))
    same = TEXTS if same_text == "positive" else None
    assert float(found.detach()) == pytest.approx(
        reference.global_contrast(images, texts, 1 / temperature, *directions, same), rel=1e-10
    )


@pytest.mark.parametrize("same_text", ["negative", "positive"])
def test_the_gradient_is_that_of_the_value(same_text: SameText) -> None:
    positives = positives_of(TEXTS, same_text)
    assert gradcheck(lambda i, t: convirt_loss(i, t, 0.5, Directions(0.75, 0.25), positives), embeddings())


def test_open_clips_loss_equals_the_loop_in_value() -> None:
    images, texts = embeddings()
    found = open_clip().ClipLoss()(F.normalize(images, dim=1), F.normalize(texts, dim=1), torch.tensor(14.0))
    assert float(found.detach()) == pytest.approx(reference.global_contrast(images, texts, 14.0, 0.5, 0.5), rel=1e-10)


def test_with_equal_weights_convirt_is_clip_at_a_fixed_scale() -> None:
    images, texts = embeddings()
    clip = open_clip().ClipLoss()(F.normalize(images, dim=1), F.normalize(texts, dim=1), torch.tensor(1 / 0.1))
    torch.testing.assert_close(convirt_loss(images, texts, 0.1, MEAN), clip, rtol=1e-12, atol=0)
    torch.testing.assert_close(convirt_loss(images, texts, 0.1, SUM), 2 * clip, rtol=1e-12, atol=0)


def test_the_weights_tell_the_directions_apart() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    rows = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    assert float(contrast(logits, Directions(1, 0))) == pytest.approx(rows, rel=1e-12)
    logits = torch.tensor([[2.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    columns = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert float(contrast(logits, Directions(0, 1))) == pytest.approx(columns, rel=1e-12)


def test_among_equal_texts_alone_nothing_can_be_lost_as_positives() -> None:
    """Each text is right for each image: nothing is lost, and there is no gradient."""
    images = torch.ones((4, 3), dtype=torch.float64, requires_grad=True)
    positives = positives_of(("Clear.",) * 4, "positive")
    found = convirt_loss(images, torch.ones((4, 3), dtype=torch.float64), 0.1, MEAN, positives)
    (gradient,) = torch.autograd.grad(found, images)
    assert abs(float(found.detach())) < 1e-12
    assert float(gradient.abs().max()) < 1e-12
    assert float(convirt_loss(images, images, 0.1, MEAN).detach()) == pytest.approx(math.log(4), rel=1e-12)


def test_the_mean_over_equal_texts_would_change_nothing() -> None:
    """Why positives are taken together: with equal embeddings for equal texts, their mean is the loss without them."""
    images, texts = embeddings()
    texts = texts[[0, 1, 0, 3, 0]]
    logits = cosines(images, texts) / 0.1
    equal = positives_of(TEXTS, "positive")
    assert equal is not None
    targets = equal.double() / equal.sum(dim=1, keepdim=True)
    mean = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    torch.testing.assert_close(mean, contrast(logits), rtol=1e-12, atol=0)
    assert not torch.isclose(contrast(logits, MEAN, equal), mean)


def test_cosines_do_not_depend_on_length() -> None:
    images, texts = embeddings()
    torch.testing.assert_close(cosines(3 * images, 0.2 * texts), cosines(images, texts), rtol=1e-12, atol=1e-12)


def test_under_autocast_it_is_still_computed_in_float32() -> None:
    images, texts = (part.detach().float() for part in embeddings(seed=3))
    with torch.autocast("cpu", torch.bfloat16):
        found = convirt_loss(images.bfloat16(), texts.bfloat16(), 0.1, MEAN)
    assert found.dtype == torch.float32
    expected = convirt_loss(images.bfloat16().double(), texts.bfloat16().double(), 0.1, MEAN)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
