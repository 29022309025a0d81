"""Train one trial in several processes of this machine, which share every batch as the ranks of one group."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import TYPE_CHECKING, Any

from tasks.pretrain.arms import Trial
from tasks.pretrain.train import OnStep, TrainedTrial, train_trial
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore

_LAST_WORDS = 3.0
"""Seconds after the first failure in which the others may send theirs, so that the cause is said, not what follows."""
_END = 30.0


class RankFailed(RuntimeError):
    """One of the processes that trained together ended before the training did."""


@dataclass(frozen=True, slots=True)
class _Job:
    trial: Trial
    section: TrainSection
    store: ObjectStore
    port: int
    environment: Mapping[str, str]

    @property
    def size(self) -> int:
        return self.section.processes


def train_in_ranks(
    trial: Trial, section: TrainSection, store: ObjectStore, *, on_step: OnStep | None = None
) -> TrainedTrial:
    """Train as `tasks.pretrain.train.train_trial` does, in ``section.processes`` new processes.

    They find each other through a key-value store of this process, as those that ``torchrun`` starts do, and share
    the threads that the section allows. None of them outlives this call or this process.

    Args:
        trial, section, store: as there; the store must be one that every process reaches.
        on_step: called here, with what the first process reports.

    Raises:
        RankFailed: a process was killed or ended early; the message names it and how to go on.
        OutOfMemory, TrainingDiverged, CorruptShard: as there.
    """
    from torch import distributed

    meeting = distributed.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)  # pyright: ignore[reportPrivateImportUsage]
    job = _Job(trial, section, store, meeting.port, dict(os.environ))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tasks.pretrain.preloaded"])
    running: dict[Connection, BaseProcess] = {}
    try:
        for number in range(job.size):
            reads, writes = context.Pipe(duplex=False)
            process = context.Process(target=_rank, args=(job, number, writes), name=f"rank {number}", daemon=True)
            process.start()
            writes.close()
            running[reads] = process
        return _follow(job, list(running), list(running.values()), on_step)
    finally:
        for process in running.values():
            process.kill()
        for process in running.values():
            process.join(_END)


def _follow(
    job: _Job, pipes: Sequence[Connection], processes: Sequence[BaseProcess], on_step: OnStep | None
) -> TrainedTrial:
    """Pass the steps on until every process has said that it is done; what the first one trained."""
    done: dict[int, TrainedTrial | None] = {}
    failed: dict[int, BaseException] = {}
    left, until = list(pipes), float("inf")
    while left and time.monotonic() < until:
        for pipe in wait(left, None if not failed else max(0.0, until - time.monotonic())):
            assert isinstance(pipe, Connection)
            number = pipes.index(pipe)
            kind, value = _received(pipe)
            if kind == "step" and on_step is not None:
                on_step(*value)
            elif kind == "done":
                done[number] = value
            elif kind == "failed":
                failed[number] = value
            elif kind == "ended":
                left.remove(pipe)
                if number not in done and number not in failed:
                    failed[number] = _ended(job, number, processes[number])
        if failed and until == float("inf"):
            until = time.monotonic() + _LAST_WORDS
    if failed:
        raise min(failed.values(), key=follows)
    trained = done[0]
    assert trained is not None, "the first process leaves behind what was trained"
    return trained


def _received(pipe: Connection) -> tuple[str, Any]:
    try:
        return pipe.recv()
    except (EOFError, OSError):  # it closed its end, or was killed in the middle of a message
        return "ended", None


def _ended(job: _Job, number: int, process: BaseProcess) -> RankFailed:
    process.join(_END)
    code = process.exitcode
    how = f"ended with exit code {code}"
    if code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            how += ", as by a system that runs out of memory"
    return RankFailed(
        f"{job.trial.label}: process {number} of 0 to {job.size - 1} {how}; the others were ended, and the same "
        "command goes on from the last state that was kept"
    )


def follows(error: BaseException) -> int:
    """How likely an error is what another process's end causes: torch says that a connection is lost."""
    if isinstance(error, RankFailed):
        return 1
    return 2 if type(error) is RuntimeError or type(error).__module__.startswith("torch") else 0


def _rank(job: _Job, number: int, pipe: Connection) -> None:
    """What one of the processes does."""
    from models.training.distributed import join_ranks, leave_ranks

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started this process ends it
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    hush_libraries()
    os.environ.update(_environment(job, number))
    section = job.section.model_copy(update={"threads": thread_share(job.section, job.size)})
    on_step: OnStep | None = None if number else lambda step, loss: pipe.send(("step", (step, loss)))
    try:
        join_ranks(section.device)
        trained = train_trial(job.trial, section, job.store, on_step=on_step)
        pipe.send(("done", None if number else trained))
        leave_ranks()
    except BaseException as error:
        pipe.send(("failed", sendable(error)))
        raise SystemExit(1) from None


def _environment(job: _Job, number: int) -> dict[str, str]:
    """That of who started the training, which is not the fork server's, and what ``torchrun`` would set."""
    found = {
        "RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(job.size), "LOCAL_WORLD_SIZE": str(job.size),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(job.port), "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }  # fmt: skip
    return dict(job.environment) | found | ({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {})


def hush_libraries() -> None:
    """Silence, in this process, what torch has to say of how open_clip gathers."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"open_clip\.")


def thread_share(section: TrainSection, processes: int) -> int:
    """Threads of each of the processes of this machine that train together."""
    return max(1, (section.threads or os.cpu_count() or 1) // processes)


def sendable(error: BaseException) -> BaseException:
    """The error with its trace as a note; as text alone where it cannot be sent."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an exception of a library raises when it is copied
        copied = RankFailed(f"{type(error).__name__}: {error}")
        copied.add_note(traceback.format_exc())
        return copied
    return error


def _end_with_parent() -> None:
    """End at once when the process that started this one is gone, however it ended."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
