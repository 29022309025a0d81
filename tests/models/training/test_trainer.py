"""The trainer: what it minimises, and that a training that was stopped ends as one that was not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.training.schedule import Schedule
from models.training.state import FileState, pack, unpack
from models.training.trainer import LossNotFinite, Trainer, TrainerOptions, TrainingTask

SCHEDULE = Schedule(steps=12, rate=0.05, warmup=2)


def new_net() -> nn.Sequential:
    """With everything that has a state: statistics, dropout, a weight that does not decay."""
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 2))


def weight_of(net: nn.Sequential) -> torch.Tensor:
    first = net[0]
    assert isinstance(first, nn.Linear)
    return first.weight


def task_for(net: nn.Module, stop: int | None = None) -> TrainingTask:
    """Tell which half of a random row is larger; `stop` is the step at which somebody pulls the plug."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        if step == stop:
            raise KeyboardInterrupt
        rows = torch.randn(16, 6)
        return rows, (rows[:, :3].sum(1) > rows[:, 3:].sum(1)).long()

    def loss(inputs: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(net(inputs[0]), inputs[1])

    return TrainingTask(batch, loss)


def digest(net: nn.Module) -> str:
    return hashlib.sha256(pack(dict(net.state_dict()))).hexdigest()


OPTIONS = TrainerOptions(seed=3, device="cpu", average=0.9, save_steps=5, save_seconds=None)


@pytest.mark.parametrize("stop", [1, 5, 7, 11])
@pytest.mark.parametrize("average", [None, 0.9])
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_bit(
    tmp_path: Path, stop: int, average: float | None
) -> None:
    options = replace(OPTIONS, average=average)
    whole = new_net()
    Trainer(whole, task_for(whole), SCHEDULE, options).run()
    states = FileState(tmp_path / "net.pt")
    broken = new_net()
    with pytest.raises(KeyboardInterrupt):
        Trainer(broken, task_for(broken, stop), SCHEDULE, options, states=states).run()
    torch.rand(stop + 1)  # whatever else the new process drew
    net = new_net()
    trainer = Trainer(net, task_for(net), SCHEDULE, options, states=states)
    assert trainer.step == stop // 5 * 5
    trainer.run()
    assert digest(net) == digest(whole)


def test_gradient_descent_takes_steps_of_rate_times_velocity_and_goes_on_with_it(tmp_path: Path) -> None:
    """Each step adds the gradient to `momentum` times the velocity; the velocity is part of the state."""
    net = nn.Linear(2, 1, bias=False)
    before = net.weight.detach().clone()
    slope = torch.tensor([[0.3, -0.2]])
    task = TrainingTask(lambda _: None, lambda _: (net.weight * slope).sum())
    options = TrainerOptions(device="cpu", optimiser="sgd", momentum=0.5, weight_decay=0.0, save_steps=1)
    schedule = Schedule(steps=3, rate=0.1, warmup=1)
    told: list[int] = []

    def stop(step: int, *_: float) -> None:
        told.append(step)
        if step == 2 and len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(net, task, schedule, options, states=FileState(tmp_path / "state.pt"), on_step=stop).run()
    Trainer(net, task, schedule, options, states=FileState(tmp_path / "state.pt")).run()
    rates = [0.1 * schedule.factor(step) for step in range(3)]
    expected = before - sum(rate * speed for rate, speed in zip(rates, (1, 1.5, 1.75), strict=True)) * slope
    torch.testing.assert_close(net.weight.detach(), expected)


class StatesInMemory:
    """States in memory, all of them kept."""

    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}

    def newest(self) -> Iterator[tuple[str, bytes]]:
        return ((f"state {step}", self.held[step]) for step in sorted(self.held, reverse=True))

    def write(self, step: int, state: bytes) -> None:
        self.held[step] = state


def test_a_damaged_state_is_named_and_the_one_before_it_taken(caplog: pytest.LogCaptureFixture) -> None:
    states, whole = StatesInMemory(), new_net()
    Trainer(whole, task_for(whole), SCHEDULE, OPTIONS, states=states).run()
    states.held = {step: data[: len(data) // 2] if step > 5 else data for step, data in states.held.items()}
    net = new_net()
    trainer = Trainer(net, task_for(net), SCHEDULE, OPTIONS, states=states)
    assert trainer.step == 5
    assert "state 12 is no state of a training" in caplog.text
    assert "state 10 is no state of a training" in caplog.text
    trainer.run()
    assert digest(net) == digest(whole)


def test_where_every_state_is_damaged_nothing_is_trained_anew_unasked() -> None:
    states, net = StatesInMemory(), new_net()
    states.held = {5: b"", 10: b"junk"}
    with pytest.raises(ValueError, match="state 10 is no state of a training"):
        Trainer(net, task_for(net), SCHEDULE, OPTIONS, states=states)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    states, net = FileState(tmp_path / "net.pt"), new_net()
    Trainer(net, task_for(net), SCHEDULE, OPTIONS, states=states).run()
    again = new_net()
    Trainer(again, task_for(again, stop=0), SCHEDULE, OPTIONS, states=states).run()
    assert digest(again) == digest(net)


def test_the_state_is_kept_every_so_many_steps_and_at_the_end() -> None:
    @dataclass
    class Kept:
        steps: list[int] = field(default_factory=list)

        def newest(self) -> Iterator[tuple[str, bytes]]:
            return iter(())

        def write(self, step: int, state: bytes) -> None:
            assert state
            self.steps.append(step)

    states, net = Kept(), new_net()
    Trainer(net, task_for(net), SCHEDULE, OPTIONS, states=states).run()
    assert states.steps == [5, 10, 12]


def test_it_learns_and_tells_every_step_and_leaves_the_generator_alone() -> None:
    told: list[tuple[int, float]] = []
    net = new_net()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    schedule = Schedule(200, 0.05, warmup=10)
    Trainer(net, task_for(net), schedule, OPTIONS, on_step=lambda step, loss, _: told.append((step, loss))).run()
    assert torch.rand(1) == expected
    assert [step for step, _ in told] == list(range(1, 201))
    assert sum(loss for _, loss in told[-20:]) < 0.7 * sum(loss for _, loss in told[:20])
    assert not net.training


def test_the_average_is_smoother_than_the_last_weights_and_statistics_are_averaged_too() -> None:
    nets: dict[float | None, nn.Sequential] = {}
    for average in (None, 0.99):
        nets[average] = new_net()
        Trainer(nets[average], task_for(nets[average]), SCHEDULE, replace(OPTIONS, average=average)).run()
    start = weight_of(new_net())
    moved = {key: (weight_of(net) - start).norm() for key, net in nets.items()}
    assert 0 < moved[0.99] < moved[None]
    assert nets[0.99][1].num_batches_tracked == nets[None][1].num_batches_tracked == 12
    averaged, last = nets[0.99].state_dict(), nets[None].state_dict()
    assert not torch.equal(averaged["1.running_mean"], last["1.running_mean"])


def test_frozen_weights_stay_and_are_not_in_the_state(tmp_path: Path) -> None:
    net = new_net()
    net[0].requires_grad_(False)
    before = weight_of(net).clone()
    states = FileState(tmp_path / "net.pt")
    Trainer(net, task_for(net), SCHEDULE, replace(OPTIONS, average=None), states=states).run()
    assert torch.equal(weight_of(net), before)
    assert "0.weight" not in unpack(states.path.read_bytes(), states.path)["model"]


def test_vectors_decay_unless_they_are_spared() -> None:
    kept = {}
    for spared in (False, True):
        net = nn.Linear(4, 4)
        with torch.no_grad():
            net.bias.fill_(1.0)
        task = TrainingTask(lambda _: torch.zeros(1, 4), lambda x, net=net: 0 * net(x).sum())
        options = TrainerOptions(device="cpu", weight_decay=0.5, decay_vectors=not spared)
        Trainer(net, task, Schedule(5, 0.1, warmup=1), options).run()
        kept[spared] = net.bias.detach().clone()
    assert torch.equal(kept[True], torch.ones(4))
    assert (kept[False] < 0.95).all()


def test_long_gradients_are_shortened_and_bounds_are_kept_after_each_step() -> None:
    net = nn.Linear(3, 1, bias=False)
    norms: list[float] = []

    def clamp() -> None:
        assert net.weight.grad is not None
        norms.append(float(net.weight.grad.norm()))
        net.weight.clamp_(-0.01, 0.01)

    task = TrainingTask(lambda _: torch.ones(2, 3), lambda x: 1e4 * net(x).square().mean(), clamp)
    Trainer(net, task, Schedule(3, 0.5, warmup=1), TrainerOptions(device="cpu")).run()
    assert len(norms) == 3
    assert max(norms) <= 1.0 + 1e-4
    assert net.weight.abs().max() <= 0.01


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training_with_the_last_good_weights(value: float) -> None:
    net = nn.Linear(1, 1)
    task = TrainingTask(lambda step: torch.tensor([[value if step == 2 else 1.0]]), lambda x: net(x).sum())
    trainer = Trainer(net, task, SCHEDULE, TrainerOptions(device="cpu"))
    with pytest.raises(LossNotFinite, match="at step 2 of 12") as raised:
        trainer.run()
    assert raised.value.step == trainer.step == 2
    assert all(torch.isfinite(parameter).all() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("device", "asked", "whole"), [("cuda", True, True), ("cuda", False, False), ("cpu", True, False)]
)
def test_batch_norm_takes_the_statistics_of_all_processes_on_gpus_unless_told_otherwise(
    device: str, asked: bool, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = new_net()
    trainer = Trainer(net, task_for(net), SCHEDULE, TrainerOptions(device="cpu", sync_batch_norm=asked))
    trainer.device = torch.device(device)
    monkeypatch.setattr("models.training.trainer.world_size", lambda: 2)
    monkeypatch.setattr("models.training.trainer.DistributedDataParallel", lambda module: module)
    trainer._distributed(nn.Sequential(net))
    assert isinstance(net[1], nn.SyncBatchNorm) == whole


def test_autocast_computes_in_bfloat16_and_keeps_the_weights_as_they_are() -> None:
    net, seen = nn.Linear(4, 4), list[torch.dtype]()

    def loss(x: Tensor) -> Tensor:
        out = net(x)
        seen.append(out.dtype)
        return out.float().square().mean()

    task = TrainingTask(lambda _: torch.ones(2, 4), loss)
    Trainer(net, task, Schedule(2, 0.1, warmup=1), TrainerOptions(device="cpu", precision="bfloat16")).run()
    assert seen == [torch.bfloat16] * 2
    assert net.weight.dtype == torch.float32


def test_float16_scales_the_loss_and_keeps_the_scale_in_the_state(tmp_path: Path) -> None:
    net, states = nn.Linear(4, 4), FileState(tmp_path / "net.pt")
    task = TrainingTask(lambda _: torch.ones(2, 4), lambda x: net(x).float().square().mean())
    options = TrainerOptions(device="cpu", precision="float16")
    Trainer(net, task, Schedule(2, 0.1, warmup=1), options, states=states).run()
    scaler = unpack(states.path.read_bytes(), states.path)["scaler"]
    assert scaler["scale"] > 0
    assert scaler["_growth_tracker"] == 2


def test_the_model_and_its_inputs_are_moved_to_the_device() -> None:
    """On ``meta``, where nothing is computed, the forward pass runs and only the loss cannot be read."""
    net, seen = nn.Linear(4, 4), list[str]()

    def loss(inputs: dict[str, tuple[Tensor, ...]]) -> Tensor:
        out = net(inputs["rows"][0])
        seen.append(out.device.type)
        return out.sum()

    task = TrainingTask(lambda _: {"rows": (torch.ones(2, 4),)}, loss)
    with pytest.raises(RuntimeError, match="meta"):
        Trainer(net, task, SCHEDULE, TrainerOptions(device="meta")).run()
    assert seen == ["meta"]


def test_the_state_of_another_net_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    states, net = FileState(tmp_path / "net.pt"), new_net()
    Trainer(net, task_for(net), SCHEDULE, OPTIONS, states=states).run()
    other = nn.Linear(6, 2)
    with pytest.raises(ValueError, match=r"net\.pt is the state of another model"):
        Trainer(other, task_for(other), SCHEDULE, OPTIONS, states=states)
