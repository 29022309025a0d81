"""The image tower by itself: the model's weights or new ones, and a head for labels."""

from __future__ import annotations

import torch

from models.vlp.image_tower import classifier, image_tower
from models.vlp.model import create, load
from models.vlp.objectives import preparation


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == also and torch.equal(value, held) for (name, value), (also, held) in pairs)


def test_random_weights_are_those_that_a_training_begins_with_whatever_the_model_has() -> None:
    prepare = preparation("gloria", {})
    headed = load(create(seed=1, prepare=prepare).to_bytes(), prepare=prepare)
    tower = image_tower(headed)
    assert same(tower, create(seed=1).module.visual.trunk)
    random = image_tower(headed, "random", seed=5)
    assert same(random, create(seed=5).module.visual.trunk)
    assert not same(random, tower)
    assert all(parameter.requires_grad for parameter in tower.parameters())


def test_a_classifier_learns_in_every_layer_that_its_output_has_and_leaves_the_model_alone() -> None:
    model = create(seed=0)
    before = model.to_bytes()
    images = torch.randn(4, 1, 96, 96)
    net = classifier(image_tower(model), images[:1], 3).train()
    assert net(images).shape == (4, 3)
    net(images).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    torch.optim.SGD(net.parameters(), lr=1.0).step()
    assert model.to_bytes() == before


def test_a_tower_that_is_none_of_timm_gives_its_embeddings() -> None:
    model = create("ViT-S-32-alt")
    images = torch.randn(1, 3, 224, 224)
    net = classifier(image_tower(model), images, 2).eval()
    with torch.inference_mode():
        assert torch.equal(net.tower(images), model.module.eval().encode_image(images))
        assert net(images).shape == (1, 2)
