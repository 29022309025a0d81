"""RaTE-NER's recogniser with a tiny DeBERTa that learns six words here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from models.compat import torchvision_ready
from models.contracts import EntityType, ModelNotFound
from models.findings.chest_recogniser import SpanRecogniser
from models.findings.rate_ner import RateNer

LABELS = ["O"] + [
    f"{p}-{t}" for t in ("ABNORMALITY", "NON-ABNORMALITY", "DISEASE", "NON-DISEASE", "ANATOMY") for p in "BI"
]
KNOWN = {"opacity": "B-ABNORMALITY", "clear": "B-NON-ABNORMALITY", "pneumonia": "B-DISEASE", "tuberculosis":
         "B-NON-DISEASE", "left": "B-ANATOMY", "lung": "I-ANATOMY"}  # fmt: skip
PLAIN = ["in", "the", "is", "seen", "no", "."]


def _save(folder: Path, labels: list[str], train: bool) -> None:
    torchvision_ready()
    from transformers import DebertaV2Config, DebertaV2ForTokenClassification, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *KNOWN, *PLAIN])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    config = DebertaV2Config(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
    )  # fmt: skip
    torch.manual_seed(0)
    net = DebertaV2ForTokenClassification(config)
    if train:
        rng, words = torch.Generator().manual_seed(1), [*KNOWN, *PLAIN]
        optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
        for _ in range(60):
            ids = torch.randint(len(words), (16, 12), generator=rng)
            names = [[KNOWN.get(words[i], "O") for i in row] for row in ids.tolist()]
            target = torch.tensor([[labels.index(name) for name in row] for row in names])
            loss = net(input_ids=ids + 4, labels=target).loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    net.save_pretrained(folder)
    fast.save_pretrained(folder)


@pytest.fixture(scope="module")
def ner(tmp_path_factory: pytest.TempPathFactory) -> RateNer:
    folder = tmp_path_factory.mktemp("rate-ner")
    _save(folder, LABELS, train=True)
    return RateNer(str(folder), batch=2)


def test_typed_spans_index_the_text(ner: RateNer) -> None:
    assert isinstance(ner, SpanRecogniser)
    text = "opacity in the left lung . the tuberculosis is clear ."
    (found, empty) = ner.spans([text, "  "])
    assert empty == []
    assert all(text[span.start : span.end] == span.text for span in found)
    assert [(s.term, s.type, s.status) for s in found] == [
        ("opacity", EntityType.ABNORMALITY, "present"),
        ("left lung", EntityType.ANATOMY, "present"),
        ("tuberculosis", EntityType.NON_DISEASE, "absent"),
        ("clear", EntityType.NON_ABNORMALITY, "absent"),
    ]
    assert ner.spans([]) == []


def test_a_report_longer_than_the_window_is_read_to_its_end(ner: RateNer) -> None:
    text = "the . " * 60 + "pneumonia is seen ."
    (found,) = ner.spans([text])
    assert [(span.term, span.start) for span in found] == [("pneumonia", 360)]


def test_a_model_of_another_kind_is_refused_with_its_labels(tmp_path: Path) -> None:
    _save(tmp_path / "other", ["O", "B-PER"], train=False)
    with pytest.raises(ModelNotFound, match="B-PER"):
        RateNer(str(tmp_path / "other"))
    with pytest.raises(ModelNotFound, match="does not exist"):
        RateNer(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match="holds no token classifier"):
        RateNer(str(tmp_path / "empty"))
