"""Train one trial in workers of Ray Train, on this machine or on a cluster."""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.engine.placement import NoRoom
from tasks.engine.ray_engine import own_sigterm
from tasks.pretrain.arms import Trial
from tasks.pretrain.ranks import RankFailed, follows, hush_libraries, sendable, thread_share
from tasks.pretrain.train import OnStep, TrainedTrial, train_trial
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore

_GLANCE = 0.2
_PREFIXES = ("AWS_", "SYNTHCXR_", "HF_")
"""Of variables that the store, the state folder and the model hub read."""
_SETTINGS = {"RAY_CHDIR_TO_TRIAL_DIR": "0", "RAY_TRAIN_ENABLE_STATE_TRACKING": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Workers stay in the folder that paths of a profile start from, and nothing about the training is sent anywhere."""


@dataclass(frozen=True, slots=True)
class _Job:
    trial: Trial
    section: TrainSection
    store: ObjectStore
    environment: Mapping[str, str]


def ray_problems(section: TrainSection, managed: bool, torchrun: bool) -> Iterator[str]:
    """Why Ray Train cannot train this from here, a line each with the field in front.

    Args:
        section: what is trained.
        managed: whether the store is one that this machine alone reaches.
        torchrun: whether ``torchrun`` started this process.
    """
    if importlib.util.find_spec("ray") is None:
        yield "pretrain.launcher: ray is not installed: `pip install ray`, or take local"
    if torchrun:
        yield "pretrain.launcher: torchrun started these processes, and ray would start others: take local"
    if ":" in section.device:
        yield f"pretrain.device: {section.device} is one GPU, and Ray gives each worker its own: take cuda"
    if managed and section.ray_address is not None:
        yield (
            "storage.root: the managed store is on this machine, and workers may be on others: take an s3:// address, "
            "or a folder that all of them have"
        )


def train_on_ray(
    trial: Trial, section: TrainSection, store: ObjectStore, *, on_step: OnStep | None = None
) -> TrainedTrial:
    """Train as `tasks.pretrain.train.train_trial` does, in ``section.processes`` workers of Ray Train.

    They run on the cluster at ``section.ray_address``; None starts a Ray on this machine for as long as this takes.

    Args:
        trial, section, store: as there; the store must be one that every worker reaches.
        on_step: called here, with what the first worker reports.

    Raises:
        NoRoom: the cluster cannot hold the workers.
        RankFailed: a worker ended early; the message states how to go on.
        OutOfMemory, TrainingDiverged, CorruptShard: as there.
    """
    with _joined(section), tempfile.TemporaryDirectory(prefix="synthcxr-ray-") as folder:
        device = _device(section)
        own = section.model_copy(update={"device": device})
        job = _Job(trial, own, store, _environment())
        return _follow(job, folder, on_step)


@contextmanager
def _joined(section: TrainSection) -> Iterator[None]:
    """Join the cluster that the section names, or start one here, and leave it; a process in one stays in it."""
    import ray

    if ray.is_initialized():
        yield
        return
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    with own_sigterm():
        if section.ray_address is None:
            cores = max(section.processes, os.cpu_count() or 1)
            ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
        else:
            ray.init(address=section.ray_address, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def _environment() -> dict[str, str]:
    """The variables of this process that workers take with them."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}


def _device(section: TrainSection) -> str:
    """Where workers compute on the cluster that this process has joined: ``cpu``, or ``cuda`` with a GPU each.

    Raises:
        NoRoom: they would wait for what the cluster does not have.
    """
    import ray

    held = ray.cluster_resources()
    on_gpus = section.device.startswith("cuda") or (section.device == "auto" and held.get("GPU", 0) > 0)
    for name in ("CPU", "GPU") if on_gpus else ("CPU",):
        if held.get(name, 0) < section.processes:
            raise NoRoom(
                f"pretrain.processes is {section.processes}, each with a {name}, but the cluster has "
                f"{held.get(name, 0):g}: lower it, or add machines"
            )
    return "cuda" if on_gpus else "cpu"


def _follow(job: _Job, folder: str, on_step: OnStep | None) -> TrainedTrial:
    """Pass on what the workers report until the training is over."""
    from ray.util.queue import Queue

    said = Queue(actor_options={"num_cpus": 0})
    failed: list[BaseException] = []

    def hear() -> None:
        for kind, value in said.get_nowait_batch(said.qsize()):
            if kind == "failed":
                failed.append(value)
            elif on_step is not None:
                on_step(*value)

    fitted = _fit(job, said, folder)
    try:
        while not fitted.done():
            hear()
            wait([fitted], _GLANCE)
        hear()
    finally:
        said.shutdown(force=True)  # a worker that goes on after an interruption fails at its next step
    error = fitted.exception()
    if error is not None:
        raise min(failed, key=follows, default=_lost(job, error)) from error
    return fitted.result()


def _fit(job: _Job, said: Any, folder: str) -> Future[TrainedTrial]:
    """Begin to train, in a thread: Ray Train would take Ctrl-C for itself in the main one."""
    from models.training.distributed import PATIENCE

    done: Future[TrainedTrial] = Future()

    def fit() -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        try:
            trainer = TorchTrainer(
                _worker(job, said),
                scaling_config=ScalingConfig(num_workers=job.section.processes, use_gpu=job.section.device == "cuda"),
                torch_config=TorchConfig(timeout_s=int(PATIENCE.total_seconds())),
                run_config=RunConfig(storage_path=folder, failure_config=FailureConfig(max_failures=0)),
            )
            trained: Any = trainer.fit()
            done.set_result(trained.return_value)
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=fit, name="Ray Train", daemon=True).start()
    return done


def _worker(job: _Job, said: Any) -> Callable[[], TrainedTrial | None]:
    """What each worker does; keys of the store are in the job, so it is no setting that Ray would show."""

    def work() -> TrainedTrial | None:
        os.environ.update(job.environment)
        hush_libraries()
        number, here = int(os.environ["RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        section = job.section.model_copy(update={"threads": thread_share(job.section, here)})
        on_step: OnStep | None = None if number else lambda step, loss: said.put(("step", (step, loss)))
        try:
            trained = train_trial(job.trial, section, job.store, on_step=on_step)
        except Exception as error:
            said.put(("failed", sendable(error)))
            raise
        return None if number else trained

    return work


def _lost(job: _Job, error: BaseException) -> RankFailed:
    """That a worker, or Ray itself, ended before it could say why."""
    why = " ".join(str(error).split())[:300]
    return RankFailed(
        f"{job.trial.label}: the workers of Ray Train ended early ({type(error).__name__}: {why}); the same command "
        "goes on from the last state that was kept"
    )
