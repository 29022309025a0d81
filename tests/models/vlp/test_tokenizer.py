"""The tokenizer knows radiology words, and copes with every other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.phantom.vocabulary import LABELS
from models.vlp.tokenizer import END, PAD, START, VOCABULARY, ReportTokenizer, build_tokenizer, shipped


def test_findings_are_few_tokens():
    lengths = (shipped()(list(LABELS)) != PAD).sum(dim=1) - 2
    assert lengths.max() <= 4


def test_case_does_not_matter():
    assert shipped()("PLEURAL Effusion").tolist() == shipped()("pleural effusion").tolist()


@given(texts=st.lists(st.text(max_size=300), max_size=4))
def test_any_text_fits_and_ends(texts):
    tokenizer = shipped()
    ids = tokenizer(texts)
    assert tuple(ids.shape) == (len(texts), tokenizer.context_length)
    assert (ids[:, 0] == START).all()
    assert ((ids == END).sum(dim=1) == 1).all()
    assert int(ids.max()) < VOCABULARY if len(texts) else True


def test_unknown_words_are_told_apart():
    one, other = shipped()(["Zwerchfellhernie", "Röntgenaufnahme"])
    assert one.tolist() != other.tolist()


def test_the_same_texts_give_the_same_file(tmp_path):
    texts = ["There is a small left pleural effusion.", "No pneumothorax.", "Herz normal groß."]
    for name in ("one.json", "other.json"):
        build_tokenizer(texts, tmp_path / name, vocabulary=300)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    assert ReportTokenizer(tmp_path / "one.json").vocab_size == 300


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        ReportTokenizer(tmp_path / "nowhere.json")
