"""A text tower is judged by the files in its folder, and known by their content."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from models.contracts import ModelNotFound
from models.vlp.text_tower import TextTower, content_of, folder_of, wrong_text_tower
from tests.models.vlp.made_up import tiny_bert


def test_a_whole_folder_has_nothing_wrong(tmp_path: Path) -> None:
    tiny_bert(tmp_path)
    assert wrong_text_tower(TextTower(path=str(tmp_path))) == []


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "holds no *.safetensors"),
        ("tokenizer.json", "holds no tokenizer"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, file: str, told: str) -> None:
    tiny_bert(tmp_path)
    (tmp_path / file).unlink()
    (tmp_path / "vocab.txt").unlink(missing_ok=True)
    assert told in wrong_text_tower(TextTower(path=str(tmp_path)))[0]


def test_pickled_weights_are_not_taken(tmp_path: Path) -> None:
    tiny_bert(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "would run code when loaded and is not used" in wrong_text_tower(TextTower(path=str(tmp_path)))[0]


def test_what_is_not_on_this_machine_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.vlp.text_tower.cached", lambda _: None)
    hub, folder = TextTower(path="owner/clinical-bert"), TextTower(path="/nowhere/at/all")
    assert wrong_text_tower(hub) == [
        "'owner/clinical-bert' is not on this machine: run `hf download owner/clinical-bert`"
    ]
    assert "the folder /nowhere/at/all is missing" in wrong_text_tower(folder)[0]
    with pytest.raises(ModelNotFound, match="hf download"):
        content_of(hub)


def test_a_hub_id_is_the_folder_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.vlp.text_tower.cached", lambda _: tmp_path)
    assert folder_of(TextTower(path="owner/clinical-bert")) == tmp_path


def test_another_weight_is_another_content(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("copy", 0), ("other", 1)):
        tiny_bert(tmp_path / name, seed)
    one, copy, other = (content_of(TextTower(path=str(tmp_path / name))) for name in ("one", "copy", "other"))
    assert one == copy != other


@pytest.mark.parametrize("wrong", [{"path": ""}, {"path": "x", "context": 2}, {"path": "x", "frozn": True}])
def test_options_are_strict(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TextTower.model_validate(wrong)
