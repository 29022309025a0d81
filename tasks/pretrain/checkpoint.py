"""Keep trained arms in the store, and train none twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from tasks.pretrain.arms import Arm, Source
from tasks.pretrain.train import Progress, TrainedArm, train_arm
from tasks.recipe.schema import TrainSection

if TYPE_CHECKING:
    from storage.errors import StoreError
    from storage.layout import DatasetRef
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
        CorruptShard: the object is no checkpoint of ours.
    """
    key = checkpoint_key(run, arm)
    if store.head(key) is None:
        return None
    facts = read_facts(store, key)  # before the weights: what is no checkpoint may be of any size
    data = store.get(key)
    try:
        return TrainedArm(
            name=facts["name"],
            fingerprint=str(facts["fingerprint"]),
            pairs=int(facts["pairs"]),
            samples_seen=int(facts["samples_seen"]),
            losses=tuple(map(float, facts["losses"])),
            seconds=float(facts["seconds"]),
            checkpoint=data,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _foreign(key, error) from error


def check_sources(store: ObjectStore, run: str, arms: Sequence[str], ref: DatasetRef, fingerprint: str) -> None:
    """See that the arms of `run` that learnt from `ref` learnt from the version of this fingerprint.

    Raises:
        CheckpointConflict: one learnt from a version of that name which another recipe made.
        CorruptShard: an object is no checkpoint of ours.
    """
    for arm in arms:
        key = checkpoint_key(run, arm)
        if store.head(key) is None:
            continue
        facts = read_facts(store, key)
        try:
            sources = [Source.model_validate(source) for source in facts["arm"]["sources"]]
        except (KeyError, TypeError, ValueError) as error:
            raise _foreign(key, error) from error
        for source in sources:
            if (source.dataset, source.version) == (ref.name, ref.version) and source.fingerprint != fingerprint:
                raise CheckpointConflict(
                    f"{store.uri(key)} was trained on another {ref}: fingerprint {source.fingerprint[:12]} then, "
                    f"{fingerprint[:12]} now; choose another name for the version (version=...), or remove {key}"
                )


def read_facts(store: ObjectStore, key: str) -> dict[str, Any]:
    """What a checkpoint's header says of its arm and how it was trained; the weights are not read.

    Raises:
        ObjectMissing: there is none.
        CorruptShard: the object is no checkpoint of ours.
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
    from storage.documents import BadDocument, parse_json

    try:
        size = int.from_bytes(stream.read(_LENGTH), "little")
        if size > _MOST:
            raise ValueError(f"its header claims {size} bytes")
        facts = parse_json(parse_json(stream.read(size))["__metadata__"][_FACTS])
        if not isinstance(facts, dict):
            raise TypeError("its facts are no mapping")
        return facts
    except (BadDocument, ValueError, KeyError, TypeError) as error:
        raise _foreign(key, error) from error


def _foreign(key: str, error: Exception) -> StoreError:
    from storage.errors import CorruptShard

    why = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
    return CorruptShard(f"{key} is not a checkpoint written by this project ({why}): remove it or take another run")
