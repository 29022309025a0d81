"""The losses of GLoRIA are what loops over plain numbers give, and have the closed forms that they must."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from models.vlp.losses import gloria
from models.vlp.losses.gloria import (
    Aggregate,
    LocalSimilarity,
    Words,
    attention,
    global_loss,
    local_loss,
    local_similarities,
)
from models.vlp.losses.same_text import SameText, positives_of
from tests.models.vlp.losses import reference

TEXTS = ("Clear.", "Nodule.", "Clear.", "Effusion.")
LENGTHS = (3, 1, 4, 2)
ONE_CHUNK = LocalSimilarity()


def made(seed: int = 0, scale: float = 0.7, regions: int = 5, width: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Regions (4, r, d), words (4, 4, d) and which of them are there."""
    rng = torch.Generator().manual_seed(seed)
    v = scale * torch.randn((4, regions, width), dtype=torch.float64, generator=rng)
    w = scale * torch.randn((4, 4, width), dtype=torch.float64, generator=rng)
    mask = torch.arange(4)[None, :] < torch.tensor(LENGTHS)[:, None]
    return v.requires_grad_(), w.requires_grad_(), mask


@pytest.mark.parametrize("chunk", [1, 3, 16])
@pytest.mark.parametrize("aggregate", ["sum", "mean"])
def test_local_similarities_equal_the_loop(aggregate: Aggregate, chunk: int) -> None:
    regions, words, mask = made()
    found = local_similarities(regions, Words(words, mask), LocalSimilarity(4, 5, aggregate, chunk))
    expected = reference.local_similarities(regions, words, mask, 4, 5, aggregate == "mean")
    assert found.detach().numpy() == pytest.approx(torch.tensor(expected, dtype=torch.float64).numpy(), rel=1e-10)


@pytest.mark.parametrize("same_text", ["negative", "positive"])
@pytest.mark.parametrize("aggregate", ["sum", "mean"])
def test_the_local_loss_equals_the_loop(aggregate: Aggregate, same_text: SameText) -> None:
    regions, words, mask = made(seed=1)
    how = LocalSimilarity(4, 5, aggregate, chunk=3)
    found = local_loss(regions, Words(words, mask), 10, how, positives_of(TEXTS, same_text))
    similarities = reference.local_similarities(regions, words, mask, 4, 5, aggregate == "mean")
    logits = [[10 * value for value in row] for row in similarities]
    expected = reference.contrast(logits, 1, 1, TEXTS if same_text == "positive" else None)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("same_text", ["negative", "positive"])
def test_the_global_loss_equals_the_loop(same_text: SameText) -> None:
    images, texts = made()[0][:, 0], made()[1][:, 0]
    found = global_loss(images, texts, 10, positives_of(TEXTS, same_text))
    expected = reference.global_contrast(images, texts, 10, 1, 1, TEXTS if same_text == "positive" else None)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("chunk", [2, 16])
@pytest.mark.parametrize("aggregate", ["sum", "mean"])
def test_the_gradient_is_that_of_the_value(aggregate: Aggregate, chunk: int) -> None:
    regions, words, mask = made(regions=3)
    how = LocalSimilarity(4, 5, aggregate, chunk)
    assert gradcheck(lambda v, w: local_loss(v, Words(w, mask), 2, how), (regions, words))


def test_attention_equals_the_loop_and_sums_to_one() -> None:
    regions, words, mask = made()
    found = attention(regions, words, mask, 4).detach()
    assert found.shape == (4, 4, 4, 5)
    torch.testing.assert_close(found.sum(dim=3), torch.ones((4, 4, 4), dtype=torch.float64))
    for image in range(4):
        for text, length in enumerate(LENGTHS):
            expected = reference.attend(regions[image].tolist(), words[text, :length].tolist(), 4)
            assert found[image, text, :length].tolist() == [pytest.approx(row, rel=1e-10) for row in expected]


def test_one_word_and_one_region_are_fifty_cosines() -> None:
    regions, words, _ = made()
    one = Words(words[:, :1], torch.ones((4, 1), dtype=torch.bool))
    found = 10 * local_similarities(regions[:, :1], one, ONE_CHUNK)
    cosines = torch.cosine_similarity(regions[:, None, 0], words[None, :, 0], dim=2)
    torch.testing.assert_close(found, 50 * cosines, rtol=1e-10, atol=1e-10)


def test_padding_changes_neither_value_nor_gradient() -> None:
    regions, words, mask = made()
    plain = local_loss(regions, Words(words, mask), 10, ONE_CHUNK)
    gradients = torch.autograd.grad(plain, (regions, words))
    junk = torch.full((4, 3, 3), 1e3, dtype=torch.float64)
    padded = Words(torch.cat([words, junk], dim=1), torch.cat([mask, torch.zeros((4, 3), dtype=torch.bool)], dim=1))
    found = local_loss(regions, padded, 10, ONE_CHUNK)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=0)
    for one, other in zip(torch.autograd.grad(found, (regions, words)), gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
    assert not gradients[1][~mask].any(), "what stands in an unused slot has no gradient"


def test_the_order_of_regions_is_that_of_the_attention_and_of_nothing_else() -> None:
    regions, words, mask = made()
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(
        attention(regions[:, order], words, mask, 4), attention(regions, words, mask, 4)[..., order]
    )
    torch.testing.assert_close(
        local_similarities(regions[:, order], Words(words, mask), ONE_CHUNK),
        local_similarities(regions, Words(words, mask), ONE_CHUNK),
        rtol=1e-12, atol=1e-12,
    )  # fmt: skip


def test_equal_words_gain_by_number_with_sum_and_nothing_with_mean() -> None:
    regions, words, _ = made()
    for aggregate, gain in (("sum", 10 * math.log(4)), ("mean", 0.0)):
        how = replace(ONE_CHUNK, aggregate=aggregate)
        one, four = (
            10 * local_similarities(regions, Words(words[:, :1].expand(4, n, 3), torch.ones(4, n).bool()), how)
            for n in (1, 4)
        )
        torch.testing.assert_close(four - one, torch.full((4, 4), gain, dtype=torch.float64), rtol=1e-10, atol=1e-10)


def test_chunks_change_neither_value_nor_gradient() -> None:
    regions, words, mask = made()
    whole = local_loss(regions, Words(words, mask), 10, ONE_CHUNK)
    parts = local_loss(regions, Words(words, mask), 10, replace(ONE_CHUNK, chunk=1))
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=0)
    for one, other in zip(*(torch.autograd.grad(loss, (regions, words)) for loss in (parts, whole)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_only_one_chunk_is_in_memory_and_kept_for_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    plain = gloria._similarities

    def watched(*inputs: object) -> Tensor:
        held.append(len(inputs[2]))  # pyright: ignore[reportArgumentType]
        return plain(*inputs)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(gloria, "_similarities", watched)
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.ndim)
        return tensor

    regions, words, mask = made()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = local_similarities(regions, Words(words, mask), replace(ONE_CHUNK, chunk=1))
    assert held == [1, 1, 1, 1]
    assert max(kept) < 4, "nothing of images x texts x words x regions is kept"
    found.sum().backward()
    assert held == [1] * 8, "each chunk is computed anew for the gradient"


def test_under_autocast_and_from_half_precision_nothing_overflows() -> None:
    regions, words, mask = made(scale=40)
    half = Words(words.detach().half(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = local_similarities(regions.detach().half(), half, ONE_CHUNK)
    assert found.dtype == torch.float32
    expected = local_similarities(regions.detach().half().double(), Words(half.embeddings.double(), mask), ONE_CHUNK)
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)


class DtypesOfProducts(TorchDispatchMode):
    """Collects in which precision products, softmaxes and sums of exponentials are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        name = str(func)
        if isinstance(found, Tensor) and any(word in name for word in ("bmm", ".mm", "softmax", "logsumexp")):
            self.seen.setdefault(name, set()).add(found.dtype)
        return found


def test_under_autocast_the_local_loss_and_its_gradient_are_computed_in_float32() -> None:
    regions, words, mask = made()
    low, word = (part.detach().bfloat16().requires_grad_() for part in (regions, words))
    with DtypesOfProducts() as products:
        with torch.autocast("cpu", torch.bfloat16):
            found = local_loss(low, Words(word, mask), 10, LocalSimilarity(chunk=2))
        found.backward()
    assert {"aten.bmm.default", "aten._softmax.default", "aten._softmax_backward_data.default"} <= products.seen.keys()
    assert set().union(*products.seen.values()) == {torch.float32}
    assert found.dtype == torch.float32
    assert low.grad is not None
    assert low.grad.dtype == torch.bfloat16, "as the tower computed its regions"


def test_a_text_without_a_word_is_named() -> None:
    regions, words, mask = made()
    mask[2] = False
    with pytest.raises(ValueError, match="text 2 has no word"):
        local_loss(regions, Words(words, mask), 10, ONE_CHUNK)
