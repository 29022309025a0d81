"""A text encoder of transformers, tiny and with random weights: unit vectors, whatever stands beside a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from models.compat import torchvision_ready
from models.contracts import Encoder
from models.encoders.text import NGRAMS, NgramEncoder, TransformersTextEncoder, text_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TransformersTextEncoder:
    torchvision_ready()
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder: Path = tmp_path_factory.mktemp("bert")
    vocabulary = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "pleural", "effusion", "left", "scoliosis"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    BertModel(
        BertConfig(vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                   max_position_embeddings=16)
    ).save_pretrained(folder)  # fmt: skip
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return TransformersTextEncoder(str(folder), batch=2)


def test_rows_are_unit_vectors_that_do_not_depend_on_their_batch(encoder: TransformersTextEncoder) -> None:
    assert isinstance(encoder, Encoder)
    rows = encoder.embed(["pleural effusion", "left", "left pleural effusion " * 20])
    assert rows.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.embed(["left"])[0], rows[1], atol=1e-5)
    assert encoder.embed([]).shape == (0, 16)
    assert encoder.revision.endswith("@local")


def test_an_encoder_is_asked_for_by_name() -> None:
    assert isinstance(text_encoder(NGRAMS), NgramEncoder)
    assert isinstance(text_encoder("some/hub-id"), TransformersTextEncoder)
