"""The encoder of a U-Net is the image tower, and its loss is Dice and cross-entropy over what is known."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.vlp.features import NoFeatures
from models.vlp.image_tower import image_tower
from models.vlp.model import create
from models.vlp.unet import AreaLoss, UNet


def test_the_encoder_has_the_weights_of_the_checkpoint_and_sees_what_its_tower_sees() -> None:
    model = create(seed=3)
    images = torch.randn(2, 1, 96, 96)
    with torch.no_grad():  # a checkpoint whose statistics are not those of a fresh model
        model.module.train().encode_image(images)
    model.module.eval()
    trunk = model.module.visual.trunk
    before = copy.deepcopy(trunk.state_dict())
    net = UNet(image_tower(model), 2).eval()
    held = net.encoder.trunk.state_dict()
    assert held.keys() == before.keys()
    assert all(torch.equal(held[name], value) for name, value in before.items())
    with torch.no_grad():
        last, maps = trunk.forward_intermediates(images)
        seen = net.encoder(images)
        assert net(images).shape == (2, 2, 96, 96)
    assert len(seen) == len(maps) == 5
    assert all(torch.equal(one, other) for one, other in zip(seen, maps, strict=True))
    assert torch.equal(seen[-1], trunk.forward_features(images))
    assert torch.equal(seen[-1], last)
    with torch.no_grad():
        next(net.encoder.parameters()).add_(1)
    assert all(torch.equal(trunk.state_dict()[name], value) for name, value in before.items())


def test_a_residual_network_of_timm_takes_the_decoder_as_its_library_has_it() -> None:
    from segmentation_models_pytorch import Unet

    net = UNet(create("synthcxr-resnet50").module.visual.trunk, 3)
    theirs = Unet("resnet50", encoder_weights=None, classes=3)
    shapes = [tuple(value.shape) for value in net.decoder.state_dict().values()]
    assert shapes == [tuple(value.shape) for value in theirs.decoder.state_dict().values()]
    with torch.inference_mode():
        assert net.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)


def test_a_tower_without_stages_is_refused_by_name() -> None:
    import timm

    with pytest.raises(NoFeatures, match=r"VisionTransformer has no stages of falling resolution.*synthcxr-resnet50"):
        UNet(timm.create_model("vit_tiny_patch16_224", num_classes=0), 1)
    with pytest.raises(NoFeatures, match="Linear has no stages"):
        UNet(nn.Linear(2, 2), 1)


def test_the_loss_is_dice_and_cross_entropy_of_the_areas_that_are_known() -> None:
    rng = np.random.default_rng(0)
    logits = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    areas, known = rng.random((3, 2, 4, 4)) < 0.4, np.array([[True, True], [True, False], [True, False]])
    loss = AreaLoss()(logits, areas, known)
    chances, wanted = torch.sigmoid(logits), torch.from_numpy(areas).float()
    first, second = (2 * (p * t).sum() / (p.sum() + t.sum()) for p, t in (
        (chances[:, 0], wanted[:, 0]), (chances[:1, 1], wanted[:1, 1])
    ))  # fmt: skip
    weights = torch.from_numpy(known).float()[:, :, None, None]
    entropy = (F.binary_cross_entropy(chances, wanted, reduction="none") * weights).mean()
    assert loss.item() == pytest.approx((1 - (first + second) / 2 + entropy).item(), abs=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[1:, 1] == 0).all()
    assert (logits.grad[:, 0] != 0).all()
