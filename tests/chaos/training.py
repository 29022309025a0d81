"""One process of a training that may kill itself."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.training.distributed import own_rows, rank
from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from storage.local import LocalStore
from tasks.pretrain.state import TrialState

STEPS, SAVE, BATCH = 16, 3, 8
TRIAL = "c" * 64


def train_in_process(store: Path, out: Path, world: int, number: int, port: int, kill_at: int) -> None:
    """Train a small net for 16 steps, as process `number` of `world`, and leave its losses and weights in `out`.

    After step `kill_at` the first process sends itself SIGKILL.
    """
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=world, rank=number)
    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(6, 24), nn.LayerNorm(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 1))

    def batch(step: int) -> Tensor:
        rows = torch.randn(BATCH, 6, generator=torch.Generator().manual_seed(step))
        return rows[own_rows(BATCH)]

    def loss(rows: Tensor) -> Tensor:
        return (net(rows).squeeze(1) - rows.sum(1)).square().mean()

    def on_step(step: int, value: float, _: float) -> None:
        del value
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    options = TrainerOptions(seed=2, device="cpu", average=0.9, save_steps=SAVE, save_seconds=None)
    states = TrialState(LocalStore(store), TRIAL)
    trainer = Trainer(
        net, TrainingTask(batch, loss), Schedule(STEPS, 0.02, warmup=2), options, states=states, on_step=on_step
    )
    begun = trainer.step
    trainer.run()
    if rank() == 0:
        weights = [value.tolist() for value in net.state_dict().values()]
        out.write_text(json.dumps({"begun": begun, "losses": trainer.losses, "weights": weights}))
    if world > 1:
        dist.destroy_process_group()
