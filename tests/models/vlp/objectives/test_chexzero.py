"""CheXzero goes on from weights, or says that it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.vlp.model import create
from models.vlp.objectives import TrainingBatch, build_objective, preparation


def test_it_starts_from_the_weights_that_it_is_given(tmp_path: Path) -> None:
    given = create(seed=5).to_bytes()
    file = tmp_path / "clip.safetensors"
    file.write_bytes(given)
    made = create(seed=9, device="cpu", prepare=preparation("chexzero", {"weights": str(file)}))
    assert made.to_bytes() == given


def test_without_weights_it_starts_as_clip_does() -> None:
    assert create(seed=9, prepare=preparation("chexzero", {})).to_bytes() == create(seed=9).to_bytes()


def test_its_loss_is_that_of_clip() -> None:
    model, texts = create(seed=1, device="cpu"), ("Cardiomegaly.", "Nodule.")
    model.module.eval()
    batch = TrainingBatch(torch.randn(2, 1, 96, 96), model.tokenizer(texts), texts)
    one, other = (build_objective(kind, {}).losses(model, batch)["contrastive"] for kind in ("clip", "chexzero"))
    assert torch.equal(one, other)


@pytest.mark.parametrize("content", [None, b"", b"junk", "heads"])
def test_weights_of_another_kind_are_refused_by_name(tmp_path: Path, content: bytes | str | None) -> None:
    file = tmp_path / "w.safetensors"
    if content == "heads":
        file.write_bytes(create(prepare=preparation("gloria", {})).to_bytes())
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.safetensors holds no weights of this model"):
        create(prepare=preparation("chexzero", {"weights": str(file)}))
