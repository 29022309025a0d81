"""Processes that train as those of ``torchrun`` do, forked from one that has imported all."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from storage.objects import ObjectStore
from storage.process import free_port
from tasks.pretrain.arms import Trial
from tasks.pretrain.checkpoint import ensure_trained
from tasks.pretrain.torchrun import follow, leading, torchrun_rank
from tasks.recipe.training import TrainSection


@dataclass(frozen=True, slots=True)
class Command:
    """What each process runs.

    Args:
        store, trials, section: what is trained.
        folder: where the first process leaves the steps that it saw in ``steps``.
        kill_at: after this step the first process kills another one.
    """

    store: ObjectStore
    trials: Sequence[Trial]
    section: TrainSection
    folder: Path
    kill_at: int | None = None

    @property
    def steps(self) -> list[int]:
        """What the first process saw."""
        return [int(line) for line in (self.folder / "steps").read_text().split()]


def torchrun(command: Command, machines: int, processes: int) -> None:
    """Run the agents of so many machines, each with so many processes.

    Raises:
        ChildFailedError: a process failed.
    """
    port, failed = free_port(), list[BaseException]()

    def agent() -> None:
        config = LaunchConfig(
            min_nodes=machines, max_nodes=machines, nproc_per_node=processes, rdzv_backend="c10d", run_id=str(port),
            rdzv_endpoint=f"127.0.0.1:{port}", local_addr="127.0.0.1", max_restarts=0, start_method="forkserver",
        )  # fmt: skip
        try:
            elastic_launch(config, run)(command)
        except BaseException as error:
            failed.append(error)

    agents = [Thread(target=agent) for _ in range(machines)]
    for one in agents:
        one.start()
    for one in agents:
        one.join()
    if failed:
        raise failed[0]


def run(command: Command) -> None:
    """What one of the processes does."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    rank, pid = torchrun_rank(), command.folder / "other"
    assert rank is not None
    if rank.number:
        pid.write_text(str(os.getpid()))
        follow(rank, lambda: nullcontext(command.store))
        return

    def on_step(step: int, _: float) -> None:
        with (command.folder / "steps").open("a") as file:
            file.write(f"{step}\n")
        if step == command.kill_at:
            os.kill(int(pid.read_text()), signal.SIGKILL)

    with leading(rank):
        for trial in command.trials:
            ensure_trained(command.store, trial, command.section, on_step=on_step)
