"""What a model spec names is found, or refused with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.contracts import ModelNotFound
from models.language.adapter import Adapter
from models.language.resolve import resolve

pytestmark = pytest.mark.usefixtures("home")


def test_a_local_folder_is_taken_as_it_is(folder: Path) -> None:
    found = resolve(str(folder))
    assert (found.folder, found.revision, len(found.sha256)) == (folder, found.sha256[:12], 64)
    with pytest.raises(ValueError, match="only a packaged model's adapter is merged"):
        resolve(str(folder), adapter=Adapter(folder, 8, "0" * 64))


def test_a_folder_without_safetensors_is_refused_by_name(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelNotFound, match=r"lacks \*\.safetensors: only safetensors"):
        resolve(str(folder))


def test_a_hub_id_that_is_not_cached_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound, match=r"unset HF_HUB_OFFLINE and run `hf download nobody/no-such-model`"):
        resolve("nobody/no-such-model")
