"""Keep trained arms in the store, and train none twice."""

from __future__ import annotations

import json
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from tasks.pretrain.arms import Arm
from tasks.pretrain.train import Progress, TrainedArm, train_arm
from tasks.recipe.schema import TrainSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore

_FACTS = "synthcxr"
_LENGTH = 8  # a safetensors file begins with the length of its JSON header
_MOST = 64 << 20


class CheckpointConflict(RuntimeError):
    """The store holds a checkpoint of the same run and arm that was trained otherwise."""


def checkpoint_key(run: str, arm: str) -> str:
    """Where the weights of an arm are."""
    return f"runs/{run}/{arm}/checkpoint.safetensors"


def config_key(run: str, arm: str) -> str:
    """Where people read how the arm was trained; the same facts are in the weights' own header."""
    return f"runs/{run}/{arm}/config.json"


def ensure_trained(
    store: ObjectStore,
    run: str,
    arm: Arm,
    section: TrainSection,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> tuple[TrainedArm, bool]:
    """The trained arm, from the store where it is there already.

    Returns:
        The arm, and True where it had to be trained now.

    Raises:
        CheckpointConflict: `run` holds this arm with another fingerprint.
    """
    held = read_checkpoint(store, run, arm.name)
    if held is None:
        trained = train_arm(arm, section, store, seed=seed, on_progress=on_progress)
        return write_checkpoint(store, run, trained, arm, section, seed), True
    wanted = arm.fingerprint(section, seed)
    if held.fingerprint != wanted:
        raise CheckpointConflict(
            f"{checkpoint_key(run, arm.name)} was trained with fingerprint {held.fingerprint[:12]}, but this recipe "
            f"asks for {wanted[:12]}: data, seed or a pretrain setting differ; take another run name"
        )
    _show_facts(store, run, arm.name)
    return held, False


def write_checkpoint(
    store: ObjectStore, run: str, trained: TrainedArm, arm: Arm, section: TrainSection, seed: int
) -> TrainedArm:
    """Publish an arm, create-only, and return what the store holds: that of a faster rival where there was one."""
    from storage.objects import AlreadyExists

    facts = {
        "name": trained.name,
        "fingerprint": trained.fingerprint,
        "pairs": trained.pairs,
        "samples_seen": trained.samples_seen,
        "losses": [round(loss, 5) for loss in trained.losses],
        "seconds": round(trained.seconds, 3),
        "seed": seed,
        "arm": arm.model_dump(mode="json"),
        "pretrain": section.model_dump(mode="json"),
    }
    with suppress(AlreadyExists):  # another worker was first with the same arm: the loser's copy is not needed
        store.put(checkpoint_key(run, trained.name), _with_facts(trained.checkpoint, facts))
    _show_facts(store, run, trained.name)
    held = read_checkpoint(store, run, trained.name)
    if held is None:
        raise RuntimeError(f"{checkpoint_key(run, trained.name)} was written and cannot be found: check the store")
    return held


def read_checkpoint(store: ObjectStore, run: str, arm: str) -> TrainedArm | None:
    """A trained arm, or None where there is none.

    Raises:
        ValueError: the object is no checkpoint of ours.
    """
    key = checkpoint_key(run, arm)
    if store.head(key) is None:
        return None
    data = store.get(key)
    facts = _facts(key, BytesIO(data))
    return TrainedArm(
        name=facts["name"],
        fingerprint=facts["fingerprint"],
        pairs=facts["pairs"],
        samples_seen=facts["samples_seen"],
        losses=tuple(facts["losses"]),
        seconds=facts["seconds"],
        checkpoint=data,
    )


def read_facts(store: ObjectStore, key: str) -> dict[str, Any]:
    """What a checkpoint's header says of its arm and how it was trained; the weights are not read.

    Raises:
        ObjectMissing: there is none.
        ValueError: the object is no checkpoint of ours.
    """
    with store.open(key) as stream:
        return _facts(key, stream)


def _show_facts(store: ObjectStore, run: str, arm: str) -> None:
    """Write ``config.json`` where it is missing: a run may have been cut off between the weights and it."""
    from storage.objects import AlreadyExists

    if store.head(config_key(run, arm)) is None:
        key = checkpoint_key(run, arm)
        with suppress(AlreadyExists):
            store.put(config_key(run, arm), json.dumps(read_facts(store, key), indent=1, sort_keys=True).encode())


def _with_facts(weights: bytes, facts: dict[str, Any]) -> bytes:
    """The same weights with `facts` in their header, so that both are published as one object."""
    from safetensors.torch import load, save

    return save(load(weights), {"format": "pt", _FACTS: json.dumps(facts, sort_keys=True)})


def _facts(key: str, stream: BinaryIO) -> dict[str, Any]:
    try:
        size = int.from_bytes(stream.read(_LENGTH), "little")
        if size > _MOST:
            raise ValueError(f"its header claims {size} bytes")
        return json.loads(json.loads(stream.read(size))["__metadata__"][_FACTS])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{key} is not a checkpoint written by this project: remove it or take another run"
        ) from error
