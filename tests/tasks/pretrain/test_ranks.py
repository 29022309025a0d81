"""Several processes train as one does, and none of them stays behind."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import psutil
import pytest
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from flows.cli.failure import is_mendable
from models.vlp.model import load
from storage.objects import ObjectStore
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.checkpoint import find_checkpoint
from tasks.pretrain.corpus import load_corpus
from tasks.pretrain.memory import OutOfMemory
from tasks.pretrain.ranks import RankFailed, follows, sendable, thread_share, train_in_ranks
from tasks.pretrain.train import TrainingDiverged, train_on
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection
from tests.models.vlp.made_up import TRANSFORMER, model_folder
from tests.tasks.pretrain.torchrun import Command, torchrun

STEPS, SAVE = 20, 5


def section_of(folder: Path) -> TrainSection:
    """Twenty steps of batches of 8 in two processes, on towers with layer norm and without dropout."""
    return TrainSection(
        model=model_folder(folder, TRANSFORMER), samples_seen=8 * STEPS, batch=8, threads=2, processes=2,
        device="cpu", save_steps=SAVE, save_minutes=None,
    )  # fmt: skip


def ranks() -> list[psutil.Process]:
    """The processes of a training that run; the one that they are forked from is none."""
    servers = [child for child in psutil.Process().children() if "forkserver" in " ".join(child.cmdline())]
    return [child for server in servers for child in server.children() if child.status() != psutil.STATUS_ZOMBIE]


def test_two_processes_train_as_one_does_even_where_one_was_killed(
    tmp_path: Path, store: ObjectStore, real: Draw
) -> None:
    section = section_of(tmp_path)
    arm = Arm(name="real", mix=(real.model_copy(update={"pairs": 48}),), samples_seen=section.samples_seen)
    trial = Trial(arm=arm, objective=KindSpec(kind="clip"), seed=3)
    alone = train_on(load_corpus(store, arm, section, trial.seed), trial, section)

    def kill(step: int, _: float) -> None:
        if step == SAVE + 2:
            next(process for process in multiprocessing.active_children() if process.name == "rank 1").kill()

    with pytest.raises(RankFailed, match=r"real, seed 3: process 1 of 0 to 1 was killed by SIGKILL.* goes on"):
        train_in_ranks(trial, section, store, on_step=kill)
    assert ranks() == []

    seen: list[int] = []
    both = train_in_ranks(trial, section, store, on_step=lambda step, _: seen.append(step))
    assert ranks() == []
    assert SAVE < seen[0] <= SAVE + 3, "it went on from the state that was kept"
    assert seen == list(range(seen[0], STEPS + 1))
    assert both.losses == pytest.approx(alone.losses, abs=1e-4)
    assert (both.steps, both.equal_text_rows) == (alone.steps, alone.equal_text_rows)
    one, other = (load(trained.weights, section.model) for trained in (alone, both))
    text = ["No acute abnormality."]
    assert one.embed_texts(text) == pytest.approx(other.embed_texts(text), abs=1e-3)


def test_two_processes_of_torchrun_train_as_one_does_even_where_one_was_killed_and_on_two_machines(
    tmp_path: Path, store: ObjectStore, real: Draw
) -> None:
    section = section_of(tmp_path)
    arm = Arm(name="real", mix=(real.model_copy(update={"pairs": 48}),), samples_seen=section.samples_seen)
    trials = [Trial(arm=arm, objective=KindSpec(kind="clip"), seed=seed) for seed in (4, 5)]
    multiprocessing.get_context("forkserver").set_forkserver_preload(["tasks.pretrain.preloaded"])
    with pytest.raises(ChildFailedError):
        torchrun(Command(store, trials, section, tmp_path, kill_at=SAVE + 2), machines=1, processes=2)
    assert ranks() == []

    again = Command(store, trials, section, tmp_path)
    (tmp_path / "steps").unlink()
    torchrun(again, machines=2, processes=1)
    assert ranks() == []
    begun = again.steps[0]
    assert SAVE < begun <= SAVE + 3, "it went on from the state that was kept"
    assert again.steps == [*range(begun, STEPS + 1), *range(1, STEPS + 1)], "only the first process tells its steps"
    for trial in trials:
        held = find_checkpoint(store, trial, section)
        alone = train_on(load_corpus(store, arm, section, trial.seed), trial, section)
        assert held is not None
        assert held.losses == pytest.approx(alone.losses, abs=1e-4)


class _Fussy(Exception):
    """Cannot be made from its message alone, as some exceptions of libraries."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def test_an_error_is_sent_with_its_trace_and_as_text_where_it_cannot_be_copied() -> None:
    error = TrainingDiverged("real, seed 0: the loss")
    assert sendable(error) is error
    assert error.__notes__
    sent = sendable(_Fussy(1, 2))
    assert isinstance(sent, RankFailed)
    assert str(sent) == "_Fussy: 1 and 2"


def test_the_cause_is_raised_before_what_follows_from_it() -> None:
    cause, killed = TrainingDiverged("the loss"), RankFailed("process 1 was killed")
    consequences = (RuntimeError("Connection closed by peer"), dist.DistBackendError("gone"))
    assert min((*consequences, killed, cause), key=follows) is cause
    assert min((*consequences, killed), key=follows) is killed


@pytest.mark.parametrize(
    ("fields", "why"),
    [({"batch": 32, "processes": 3}, "cannot be shared by 3"), ({"device": "cuda:1", "processes": 2}, "is one GPU")],
)
def test_what_processes_cannot_share_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TrainSection.model_validate(fields)


def test_threads_are_shared_among_processes() -> None:
    assert thread_share(TrainSection(threads=5), 2) == 2
    assert thread_share(TrainSection(threads=1), 2) == 1
    assert thread_share(TrainSection(), 1) == os.cpu_count()


def test_what_ends_a_training_is_told_in_one_line() -> None:
    for error in (RankFailed("process 1 was killed"), OutOfMemory("a batch of 32"), TrainingDiverged("the loss")):
        assert is_mendable(error)
