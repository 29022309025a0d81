"""Nets are given their inputs where their weights are, and what they say leaves as numpy.

Read call by call, and moved: `VisionLanguageModel.embed_images` and `embed_texts`, `Trainer`, the views of training,
`models.nets.classifier.logits`, the defect net in its gate and its encoder, `ClassifierFeatureEncoder`,
`TransformersEncoder` and `TransformersTextEncoder`. Diffusers, vLLM and the pipelines of transformers move theirs.
"""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from models.encoders.classifier_features import ClassifierFeatureEncoder
from models.encoders.image import FilmEncoder
from models.nets.classifier import AgreementNet, logits

FILMS = list(np.zeros((2, 128, 128), np.uint8))


def moved_away(net: nn.Module) -> nn.Module:
    """On ``meta`` nothing is computed: a call runs through where its inputs follow, and fails as its result leaves."""
    return net.to("meta").eval()


def test_logits_follow_the_net() -> None:
    with pytest.raises(NotImplementedError, match="copy out of meta"):
        logits(moved_away(AgreementNet()), FILMS)


def test_features_follow_the_classifier() -> None:
    encoder = ClassifierFeatureEncoder()
    moved_away(encoder._net)
    with pytest.raises(NotImplementedError, match="copy out of meta"):
        encoder.embed(FILMS)


def test_the_default_encoder_follows_its_net() -> None:
    encoder = FilmEncoder()
    moved_away(encoder._net[0])
    with pytest.raises(NotImplementedError, match="copy out of meta"):
        encoder.embed(FILMS)
