"""A language model that cannot be loaded or asked is known from its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.contracts import ModelNotFound
from models.language import folder as looking
from models.language.folder import wrong_folder, wrong_package


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return tmp_path


def test_a_whole_folder_is_right(model: Path) -> None:
    assert wrong_folder(model, chats=True, max_model_len=512) == []


def test_a_model_is_not_asked_for_more_tokens_than_it_takes(model: Path) -> None:
    assert "takes 512 tokens, max_model_len asks for 2048" in wrong_folder(model, max_model_len=2048)[0]
    (model / "config.json").write_text(json.dumps({"max_position_embeddings": 512, "rope_scaling": {"factor": 8}}))
    assert wrong_folder(model, max_model_len=2048) == []


def test_a_model_without_a_chat_template_follows_no_instructions(model: Path) -> None:
    (model / "tokenizer_config.json").write_text("{}")
    assert "holds no chat template" in wrong_folder(model, chats=True)[0]
    (model / "chat_template.jinja").write_text("{{ messages }}")
    assert wrong_folder(model, chats=True) == []


def test_every_file_that_is_missing_is_told(model: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (model / name).unlink()
    assert len(wrong_folder(model, chats=True)) == 3


def test_a_package_must_hold_a_gguf_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.gguf"
    monkeypatch.setattr(looking, "find_gguf", lambda _: file)
    for content, told in ((b"GGUF....", None), (b"other", "is no GGUF file"), (b"", "is empty")):
        file.write_bytes(content)
        assert told is None or told in wrong_package("package:x")[0]
        assert told is not None or wrong_package("package:x") == []


def test_a_package_that_is_not_installed_says_so() -> None:
    with pytest.raises(ModelNotFound, match="is not installed"):
        wrong_package("package:no_such_package")
