"""Keep trained weights in the store at their trial's fingerprint, and train no trial twice.

``checkpoints/<trial>/<step>.safetensors`` holds the weights with the facts of the trial in their header, so that both
are published as one object; ``trial.json`` beside it holds the same for people and for commands that need no weights.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import ValidationError

from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, StoreError
from storage.layout import checkpoint_key, trial_key
from storage.records import Record
from tasks.pretrain.arms import Trial
from tasks.pretrain.ranks import train_in_ranks
from tasks.pretrain.ray_train import train_on_ray
from tasks.pretrain.state import TrialState
from tasks.pretrain.torchrun import torchrun_rank, train_with_others
from tasks.pretrain.train import OnStep, TrainedTrial, steps_of, train_trial
from tasks.recipe.base import KindSpec
from tasks.recipe.paths import published
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from tasks.pretrain.images import ImageCache

_FACTS = "synthcxr"
_LENGTH = 8  # a safetensors file begins with the length of its JSON header
_MOST = 64 << 20


class CheckpointConflict(RuntimeError):
    """The store holds a checkpoint or a list of trials that does not belong to what was asked for."""


class Checkpoint(Record):
    """``trial.json``: a trial's final checkpoint, without its weights.

    Args:
        fingerprint: of the trial, which is its address.
        trial: what was trained.
        pretrain: the settings as they stood, those that change no weight included.
        step: optimiser steps taken.
        samples_seen: pairs that went through the model.
        losses: one per step, rounded.
        seconds: wall clock of the steps.
        equal_text_rows: how many of the pairs seen had, in their batch, a text that another pair had too; None where
            nobody counted.
        sha256: of the object with the weights; empty inside that object.
    """

    format: int = 2
    fingerprint: str
    trial: Trial
    pretrain: dict[str, Any]
    step: int
    samples_seen: int
    losses: tuple[float, ...]
    seconds: float
    equal_text_rows: int | None = None
    sha256: str = ""

    @property
    def key(self) -> str:
        """Where the weights are."""
        return checkpoint_key(self.fingerprint, self.step)


def ensure_trained(
    store: ObjectStore,
    trial: Trial,
    section: TrainSection,
    *,
    cache: ImageCache | None = None,
    on_step: OnStep | None = None,
) -> tuple[Checkpoint, TrainedTrial | None]:
    """The trial's checkpoint, from the store where it is there already.

    Args:
        store: where datasets and checkpoints are.
        trial, section: what is trained, and how.
        cache: decoded images that the trials of a run share; where several processes train, each has its own.
        on_step: called after every step of a training.

    Returns:
        The checkpoint, and what training left behind where it had to be trained now.

    Raises:
        CorruptShard: the object at its address is no checkpoint of it.
    """
    held = find_checkpoint(store, trial, section)
    if held is not None:
        return held, None
    trained = _train(store, trial, section, cache, on_step)
    written = write_checkpoint(store, trained, trial, section)
    TrialState(store, written.fingerprint).clear()
    return written, trained


def _train(
    store: ObjectStore, trial: Trial, section: TrainSection, cache: ImageCache | None, on_step: OnStep | None
) -> TrainedTrial:
    """Train here, or in several processes: those that ``torchrun`` started, else as many as the section names."""
    rank = torchrun_rank()
    if rank is not None and trial.arm.trained:
        return train_with_others(rank, trial, section, store, cache=cache, on_step=on_step)
    if section.launcher == "ray" and trial.arm.trained:
        return train_on_ray(trial, section, store, on_step=on_step)
    if section.processes > 1 and trial.arm.trained:
        return train_in_ranks(trial, section, store, on_step=on_step)
    return train_trial(trial, section, store, cache=cache, on_step=on_step)


def find_checkpoint(store: ObjectStore, trial: Trial, section: TrainSection) -> Checkpoint | None:
    """The trial's checkpoint, or None where it is not trained yet; a lost ``trial.json`` is written anew.

    Raises:
        CorruptShard: the object at its address is no checkpoint of it.
    """
    fingerprint = trial.fingerprint(section)
    key = checkpoint_key(fingerprint, steps_of(trial.arm, section))
    if store.head(key) is None:
        return None
    if store.head(trial_key(fingerprint)) is not None:
        return read_checkpoint(store, fingerprint)
    return _show(store, read_facts(store, key), store.get(key))


def write_checkpoint(store: ObjectStore, trained: TrainedTrial, trial: Trial, section: TrainSection) -> Checkpoint:
    """Publish weights, create-only, and return what the store holds: that of a faster rival where there was one."""
    settings = section.model_dump(mode="json")
    facts = Checkpoint(
        fingerprint=trial.fingerprint(section),
        trial=trial.model_copy(update={"objective": KindSpec(**published(trial.objective.model_dump(mode="json")))}),
        pretrain={**settings, "objective": published(settings["objective"]), "arms": published(settings["arms"])},
        step=trained.steps,
        samples_seen=trained.samples_seen,
        losses=tuple(round(loss, 5) for loss in trained.losses),
        seconds=round(trained.seconds, 3),
        equal_text_rows=trained.equal_text_rows,
    )
    data = _with_facts(trained.weights, facts)
    try:
        store.put(facts.key, data)
    except AlreadyExists:  # another worker was first with the same trial: the loser's copy is not needed
        held = find_checkpoint(store, trial, section)
        if held is None:
            raise
        return held
    return _show(store, facts, data)


def read_checkpoint(store: ObjectStore, fingerprint: str) -> Checkpoint:
    """The content of ``trial.json``, on a trial's final checkpoint.

    Raises:
        ObjectMissing: there is none.
        CorruptShard: it cannot be read, or is another trial's.
    """
    key = trial_key(fingerprint)
    try:
        found = Checkpoint.model_validate(parse_json(read_bounded(store, key)))
    except (BadDocument, ValidationError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else error
        raise CorruptShard(
            f"{store.uri(key)} describes no checkpoint: {why}; remove it, and it is made anew"
        ) from error
    if found.fingerprint != fingerprint:
        raise CorruptShard(
            f"{store.uri(key)} describes trial {found.fingerprint[:12]}: remove it, and it is made anew"
        )
    return found


def read_weights(store: ObjectStore, checkpoint: Checkpoint) -> bytes:
    """The weights as safetensors bytes.

    Raises:
        ObjectMissing: they are gone.
        CorruptShard: they are not the bytes that ``trial.json`` describes.
    """
    data = store.get(checkpoint.key)
    if hashlib.sha256(data).hexdigest() != checkpoint.sha256:
        raise CorruptShard(
            f"{store.uri(checkpoint.key)} has other bytes than its trial.json records: remove both and pretrain again"
        )
    return data


def read_facts(store: ObjectStore, key: str) -> Checkpoint:
    """The facts in the header of a checkpoint's weights; the weights are not read.

    Raises:
        ObjectMissing: there is none.
        CorruptShard: the object is no checkpoint of ours.
    """
    facts = read_header(store, key)
    try:
        found = Checkpoint.model_validate(facts)
    except ValidationError as error:
        raise _foreign(key, first_problem(error)) from error
    if found.key != key:
        raise _foreign(key, f"it is that of {found.key}")
    return found


def read_file(path: Path) -> Checkpoint:
    """The facts in the header of a checkpoint that lies in a file, such as a copy of one from a store.

    Raises:
        CorruptShard: it is no checkpoint of ours, or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return Checkpoint.model_validate(_facts(str(path), stream))
    except ValidationError as error:
        raise _foreign(str(path), first_problem(error)) from error
    except OSError as error:
        raise CorruptShard(f"{path} cannot be read: {error.strerror or error}") from error


def read_header(store: ObjectStore, key: str) -> dict[str, Any]:
    """The facts in the header of weights, in whichever format.

    Raises:
        ObjectMissing: there is none.
        CorruptShard: the object is no checkpoint of ours.
    """
    with store.open(key) as stream:
        return _facts(key, stream)


def _show(store: ObjectStore, facts: Checkpoint, data: bytes) -> Checkpoint:
    """Write ``trial.json`` where it is missing: a run may have been cut off between the weights and it."""
    shown = facts.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    with suppress(AlreadyExists):
        text = shown.model_dump_json(indent=1).encode()
        store.put(trial_key(facts.fingerprint), text, content_type="application/json")
    return shown


def _with_facts(weights: bytes, facts: Checkpoint) -> bytes:
    """The same weights with `facts` in their header, so that both are published as one object."""
    from safetensors.torch import load, save

    return save(load(weights), {"format": "pt", _FACTS: facts.model_dump_json()})


def _facts(key: str, stream: BinaryIO) -> dict[str, Any]:
    try:
        size = int.from_bytes(stream.read(_LENGTH), "little")
        if size > _MOST:
            raise ValueError(f"its header claims {size} bytes")
        facts = parse_json(parse_json(stream.read(size))["__metadata__"][_FACTS])
        if not isinstance(facts, dict):
            raise TypeError("its facts are no mapping")
        return facts
    except (BadDocument, ValueError, KeyError, TypeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise _foreign(key, why) from error


def _foreign(key: str, why: str) -> StoreError:
    return CorruptShard(f"{key} is not a checkpoint written by this project ({why}): remove it and pretrain again")
