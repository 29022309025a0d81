"""What a training keeps to go on, and what it refuses to go on from."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from models.training.state import FileState, pack, restore, steps_done, trained_part, unpack

STATE = {"step": 3, "seconds": 1.5, "model": {}, "optimiser": {}}


def test_a_file_holds_the_last_state_and_nothing_else(tmp_path: Path) -> None:
    store = FileState(tmp_path / "deep" / "net.pt")
    assert list(store.newest()) == []
    store.write(1, b"first")
    store.write(2, b"second")
    assert list(store.newest()) == [(str(store.path), b"second")]
    assert [path.name for path in store.path.parent.iterdir()] == ["net.pt"]


def test_a_write_that_fails_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileState(tmp_path / "net.pt")
    store.write(1, b"first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.training.state.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write(2, b"second")
    assert [data for _, data in store.newest()] == [b"first"]
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt"]


def test_the_steps_of_a_file_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(pack(STATE))
    assert steps_done(tmp_path / "net.pt") == 3


def test_a_state_comes_back_as_it_was_to_the_bit() -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    state = {
        **STATE, "seconds": 0.1 + 0.2, "model": {"a": shared.T, "b": shared, "step": torch.tensor(3)},
        "optimiser": {"state": {0: {"exp_avg": shared}}, "param_groups": [{"betas": [0.9, 0.98], "foreach": None}]},
    }  # fmt: skip
    back = unpack(pack(state), "net.pt")
    assert back["seconds"] == 0.1 + 0.2
    assert back["optimiser"]["param_groups"] == state["optimiser"]["param_groups"]
    assert torch.equal(back["optimiser"]["state"][0]["exp_avg"], shared)
    assert torch.equal(back["model"]["a"], shared.T)
    assert back["model"]["step"].dtype == torch.int64


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("code from a state was run",)


@pytest.mark.parametrize("junk", [b"", b"PK\x03\x04", pickle.dumps(Bomb()), pack({"net": {}}), pack(STATE)[:80]])
def test_what_is_no_state_is_refused_by_name_and_runs_nothing(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"net\.pt is no state of a training .*remove it"):
        unpack(junk, "net.pt")


def test_frozen_weights_are_not_kept() -> None:
    norm = nn.BatchNorm1d(2)
    net = nn.Sequential(nn.Linear(2, 2), norm)
    net[0].requires_grad_(False)
    assert set(trained_part(net)) == {"1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"}
    restore(net, {**trained_part(net), "1.weight": torch.zeros(2)}, "x")
    assert norm.weight.tolist() == [0, 0]


@pytest.mark.parametrize("other", [nn.Linear(2, 3), nn.Linear(2, 2, bias=False), nn.Sequential(nn.Linear(2, 2))])
def test_the_state_of_another_model_is_refused(other: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"net\.pt is the state of another model"):
        restore(nn.Linear(2, 2), trained_part(other), "net.pt")
