"""Train in the processes that ``torchrun`` started, on one machine or on several.

The first of them runs the command: it alone writes to the store, to MLflow and to the terminal. The others wait for
what it trains, which it leaves as JSON in torchrun's key-value store, and form a group with it for each training.
Outside a training there is no group, so that whatever else the command does it does alone.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from tasks.pretrain.arms import Trial
from tasks.pretrain.ranks import RankFailed, hush_libraries, thread_share
from tasks.pretrain.train import OnStep, TrainedTrial, TrainingDiverged, train_trial
from tasks.recipe.base import Section
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]

    from storage.objects import ObjectStore
    from tasks.pretrain.images import ImageCache

_FOREVER = timedelta(days=3650)
_LAST_NUMBER, _END = "trainings", b"end"
_GLANCE = 1.0


@dataclass(frozen=True, slots=True)
class TorchrunRank:
    """This process among those that ``torchrun`` started together.

    Args:
        number: its own, from 0.
        size: how many there are on all machines.
        here: how many of them are on this machine.
        attempt: how often torchrun has started them anew.
    """

    number: int
    size: int
    here: int
    attempt: int = 0


class _Job(Section):
    """What all processes train next."""

    trial: Trial
    section: TrainSection


def torchrun_rank(environment: Mapping[str, str] = os.environ) -> TorchrunRank | None:
    """This process's place in the group that ``torchrun`` started; None where it started none, or one process."""
    if "TORCHELASTIC_RUN_ID" not in environment or environment.get("WORLD_SIZE", "1") == "1":
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT")
    number, size, here, attempt = (int(environment[name]) for name in names)
    return TorchrunRank(number, size, here, attempt)


def group_problems(rank: TorchrunRank, section: TrainSection, managed: bool) -> Iterator[str]:
    """Why the processes that ``torchrun`` started cannot train this, a line each with the field in front.

    Args:
        rank: of this process.
        section: what is trained.
        managed: whether the store is one that this machine alone reaches.
    """
    if section.batch % rank.size:
        yield (
            f"pretrain.batch: {section.batch} pairs cannot be shared by the {rank.size} processes that torchrun "
            "started: take a multiple of them"
        )
    if ":" in section.device:
        yield f"pretrain.device: {section.device} is one GPU, and torchrun started {rank.here} processes: take cuda"
    if managed and rank.here < rank.size:
        yield (
            "storage.root: the managed store is on one machine, and torchrun started processes on several: take an "
            "s3:// address, or a folder that all of them have"
        )


@contextmanager
def leading(rank: TorchrunRank) -> Iterator[None]:
    """For the block the other processes wait for `train_with_others`; at its end they end."""
    _end_with_torchrun()
    meeting = _meeting(rank)
    try:
        yield
    finally:
        with suppress(RuntimeError):  # torchrun is gone, and has ended the others
            _say(meeting, _END)


def train_with_others(
    rank: TorchrunRank, trial: Trial, section: TrainSection, store: ObjectStore, *, cache: ImageCache | None = None,
    on_step: OnStep | None = None,
) -> TrainedTrial:  # fmt: skip
    """Train as `tasks.pretrain.train.train_trial` does, in all processes that ``torchrun`` started.

    Raises:
        RankFailed: another process ended early.
        OutOfMemory, TrainingDiverged, CorruptShard: as there.
    """
    meeting = _meeting(rank)
    number = _say(meeting, _Job(trial=trial, section=section).model_dump_json().encode())
    try:
        return _train(meeting, number, rank, (trial, section, store), cache=cache, on_step=on_step)
    except Exception as error:
        if not _lost_another(error):
            raise
        raise RankFailed(
            f"{trial.label}: another of the {rank.size} processes that torchrun started has ended, and it or torchrun "
            "says why; the same command goes on from the last state that was kept"
        ) from error


def follow(rank: TorchrunRank, opened: Callable[[], AbstractContextManager[ObjectStore]]) -> None:
    """Train along with the first process for as long as it trains.

    Args:
        rank: of this process.
        opened: opens the store that the first one writes to; called when there is something to train.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # torchrun's, which has said what happened
        signal.signal(number, signal.SIG_DFL)
    _end_with_torchrun()
    meeting = _meeting(rank)
    with ExitStack() as stack:
        store: ObjectStore | None = None
        for number in count(1):
            key = _key(number)
            meeting.wait([key], _FOREVER)
            if (data := meeting.get(key)) == _END:
                return
            store = stack.enter_context(opened()) if store is None else store
            job = _Job.model_validate_json(data)
            try:
                _train(meeting, number, rank, (job.trial, job.section, store))
            except TrainingDiverged:  # as in the first process, which says so
                return


def _train(
    meeting: Store, number: int, rank: TorchrunRank, what: tuple[Trial, TrainSection, ObjectStore], *,
    cache: ImageCache | None = None, on_step: OnStep | None = None,
) -> TrainedTrial:  # fmt: skip
    from models.training.distributed import join_group, leave_ranks

    trial, section, store = what
    hush_libraries()
    join_group(meeting, f"training {number}", (rank.number, rank.size), section.device)
    own = section.model_copy(update={"threads": thread_share(section, rank.here)})
    trained = train_trial(trial, own, store, cache=cache, on_step=on_step)
    leave_ranks()
    return trained


def _lost_another(error: Exception) -> bool:
    """Whether an error says that another process of the group does not answer."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or (type(error) is RuntimeError and "gloo" in str(error))


def _meeting(rank: TorchrunRank) -> Store:
    """The key-value store of ``torchrun``, with keys of our own for each of its attempts."""
    from torch.distributed import PrefixStore  # pyright: ignore[reportPrivateImportUsage]
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(iter(rendezvous("env://")))
    return PrefixStore(f"synthcxr/{rank.attempt}", store)


def _say(meeting: Store, data: bytes) -> int:
    """Tell the others what comes next; its number, from 1."""
    number = meeting.add(_LAST_NUMBER, 1)
    meeting.set(_key(number), data)  # pyright: ignore[reportArgumentType]  # bytes are taken, and come back from get
    return number


def _key(number: int) -> str:
    return f"training {number}"


def _end_with_torchrun() -> None:
    """End as by SIGTERM when the process that started this one is gone, however it ended."""
    started_by = os.getppid()

    def watch() -> None:
        while os.getppid() == started_by:
            time.sleep(_GLANCE)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end with torchrun", daemon=True).start()
