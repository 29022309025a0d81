"""Each open_clip model reads texts by its own tokenizer, which knows the word of each token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from models.contracts import ModelNotFound
from models.vlp.library import open_clip
from models.vlp.tokenizer import ReportTokenizer
from models.vlp.vocabulary import ClipTokenizer, Tokenizer, TransformersTokenizer, tokenizer_of
from tests.models.vlp.made_up import CLIP_TEXT, model_folder, word_pieces

INNER = cache(lambda: open_clip().SimpleTokenizer(context_length=16))


@pytest.fixture(scope="module")
def clip() -> ClipTokenizer:
    return ClipTokenizer(INNER())


@pytest.fixture
def pieces(tmp_path: Path) -> Tokenizer:
    word_pieces(tmp_path)
    config = {"text_cfg": {"context_length": 8, "hf_tokenizer_name": "bert-base-uncased"}}
    return tokenizer_of(model_folder(tmp_path, config), config)


def words_by_word(text: str, context: int) -> list[int]:
    """CLIP's tokenizer run on one word at a time."""
    inner = INNER()
    found = regex.findall(inner.pat, inner.clean_fn(text))
    numbers = [0, *(at for at, word in enumerate(found, 1) for _ in encoded(inner, word))][: context - 1]
    return numbers + [-1] * (context - len(numbers))


def encoded(inner: object, word: str) -> list[int]:
    tokens = "".join(inner.byte_encoder[byte] for byte in word.encode())  # pyright: ignore[reportAttributeAccessIssue]
    return inner.bpe(tokens).split(" ")  # pyright: ignore[reportAttributeAccessIssue]


@given(text=st.text(max_size=80) | st.sampled_from(["!!!)", "it's 3.5cm!", "<end_of_text> !", "Größe µm", ""]))
def test_clips_words_are_those_that_it_splits_a_text_into(clip: ClipTokenizer, text: str) -> None:
    assert clip.word_ids(text)[0].tolist() == words_by_word(text, 16)


def test_clips_tokens_are_open_clips(clip: ClipTokenizer) -> None:
    texts = ["Cardiomegaly, no pneumothorax."]
    assert clip(texts).tolist() == open_clip().get_tokenizer("ViT-B-32")(texts, 16).tolist()
    assert clip.word_ids("cardiomegaly, no")[0, :8].tolist() == [0, 1, 1, 1, 1, 2, 3, -1]


def test_word_pieces_of_a_word_have_one_number(pieces: Tokenizer) -> None:
    assert isinstance(pieces, TransformersTokenizer)
    assert pieces(["No cardiomegaly", "effusions"]).tolist() == [
        [2, 12, 9, 10, 11, 3, 0, 0],
        [2, 8, 14, 3, 0, 0, 0, 0],
    ]
    assert pieces.word_ids(["No cardiomegaly", "effusions"]).tolist() == [
        [0, 1, 2, 2, 2, -1, -1, -1],
        [0, 1, 1, -1, -1, -1, -1, -1],
    ]


def test_a_text_beyond_the_context_is_cut_alike_for_tokens_and_words(pieces: Tokenizer) -> None:
    assert pieces("no " * 20)[0].tolist() == [2, 12, 12, 12, 12, 12, 12, 3]
    assert pieces.word_ids("no " * 20)[0].tolist() == [0, 1, 2, 3, 4, 5, 6, -1]


def test_tokens_and_words_can_be_asked_for_by_two_threads_at_once(tmp_path: Path) -> None:
    word_pieces(tmp_path)
    config = {"text_cfg": {"context_length": 64, "hf_tokenizer_name": "bert-base-uncased"}}
    name, texts = model_folder(tmp_path, config), ["no cardiomegaly effusion " * 20] * 64
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            fresh = tokenizer_of(name, config)
            ids, words = pool.submit(fresh, texts), pool.submit(fresh.word_ids, texts)
            assert ids.result().shape == words.result().shape == (64, 64)


def test_no_texts_are_no_rows(pieces: Tokenizer, clip: ClipTokenizer) -> None:
    assert pieces([]).shape == pieces.word_ids([]).shape == (0, 8)
    assert clip([]).shape == clip.word_ids([]).shape == (0, 16)


def test_our_vocabulary_is_read_by_our_tokenizer() -> None:
    assert isinstance(tokenizer_of("mine", {"text_cfg": {"vocab_size": 1024, "context_length": 24}}), ReportTokenizer)
    assert isinstance(tokenizer_of("ViT-B-32", {"text_cfg": CLIP_TEXT}), ClipTokenizer)


def test_a_tokenizer_that_is_not_here_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    config = {"text_cfg": {"hf_tokenizer_name": "nobody/nothing"}}
    with pytest.raises(ModelNotFound, match="has no tokenizer that can be read"):
        tokenizer_of(model_folder(tmp_path, config), config)
    config = open_clip().get_model_config("ViT-B-16-SigLIP")
    with pytest.raises(ModelNotFound, match="timm/ViT-B-16-SigLIP, which is not on this machine: run `hf download"):
        tokenizer_of("ViT-B-16-SigLIP", config)
