"""The update trained is the update merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.contracts import ModelNotFound
from models.language.lora import BUILTIN, CONFIG, WEIGHTS, adapter_folder, inject, merge, save

torch = pytest.importorskip("torch")


def tiny():
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4))


@pytest.fixture
def trained(tmp_path: Path):
    """A tiny model with a non-zero update, what it answers to `x`, and the folder the update is saved in."""
    model, x = tiny(), torch.randn(5, 6)
    parameters = inject(model, rank=2, alpha=4.0, targets=("0", "2"))
    with torch.no_grad():
        for name, value in parameters.items():
            value.copy_(torch.randn_like(value).to(torch.bfloat16) if name.endswith("B") else value.to(torch.bfloat16))
    save(parameters, tmp_path, {"rank": 2, "alpha": 4.0})
    return model, x, tmp_path


def test_a_fresh_update_changes_nothing_and_only_it_is_trained() -> None:
    x = torch.randn(5, 6)
    plain, injected = tiny(), tiny()
    parameters = inject(injected, rank=2, alpha=4.0, targets=("0", "2"))
    assert torch.equal(plain(x), injected(x))
    injected(x).sum().backward()
    assert all(parameter.grad is not None for parameter in parameters.values())
    assert all(not parameter.requires_grad for parameter in injected.parameters())


def test_merged_weights_answer_as_the_trained_model_did(trained) -> None:
    model, x, folder = trained
    merged = tiny()
    merge(merged, folder)
    assert torch.allclose(merged(x), model(x), atol=1e-5)
    assert not torch.allclose(merged(x), tiny()(x), atol=1e-2)


def test_an_update_for_another_model_is_refused(trained) -> None:
    with pytest.raises(ValueError, match="no layer '2'"):
        merge(torch.nn.Sequential(torch.nn.Linear(6, 8)), trained[2])


def test_the_shipped_adapter_is_small_and_complete() -> None:
    folder = adapter_folder("builtin")
    assert folder is not None
    assert folder == BUILTIN
    assert (folder / WEIGHTS).stat().st_size <= 4 * 2**20
    assert {path.name for path in folder.iterdir()} >= {WEIGHTS, CONFIG, "README.md"}


def test_no_adapter_and_a_missing_adapter(tmp_path: Path) -> None:
    assert adapter_folder(None) is None
    with pytest.raises(ModelNotFound, match="make report-adapter"):
        adapter_folder(str(tmp_path))
