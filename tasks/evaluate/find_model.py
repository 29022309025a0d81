"""What a model's name on the command line means: a trial of the store, a file of ours, or a published model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.vlp.published import load_published, published_folder
from models.weight_hashes import file_hashes, sha256_file
from storage.canonical import canonical_json
from storage.errors import ObjectMissing
from storage.layout import (
    CHECKPOINTS,
    DatasetRef,
    model_identity,
    model_prediction_key,
    prediction_key,
    split_checkpoint,
    trial_key,
)
from tasks.evaluate.trained import stored_model, trained_model
from tasks.pretrain.checkpoint import Checkpoint, read_checkpoint, read_file

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from storage.objects import ObjectStore

ModelKind = Literal["trial", "file", "published"]
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that can be examined; nothing is loaded before `load` is called.

    Args:
        name: as it was asked for.
        kind: where it comes from.
        identity: of a trial its fingerprint; else a SHA-256 of its kind and of every file that is loaded.
        load: the model on a device; raises CorruptShard or ModelNotFound where its files cannot be used.
        checkpoint: how it was trained, where this project trained it.
    """

    name: str
    kind: ModelKind
    identity: str
    load: Callable[[str], VisionLanguageModel]
    checkpoint: Checkpoint | None = None

    def key(self, test: DatasetRef, task: str) -> str:
        """Where its predictions are; those of a trial are the same that the evaluation of a run makes."""
        if self.kind == "trial" and self.checkpoint is not None:
            return prediction_key(self.identity, self.checkpoint.step, test, task)
        return model_prediction_key(self.identity, test, task)


def find_model(store: ObjectStore, name: str) -> FoundModel:
    """The model that `name` means.

    Args:
        store: that holds the trials.
        name: a trial's fingerprint or the beginning of one, a .safetensors file that this project wrote, or what
            `models.vlp.published.published_folder` takes.

    Raises:
        ObjectMissing: no trial begins so, or several do.
        CorruptShard: the file was not written by this project.
        ModelNotFound: it is not on this machine; the message says how to get it.
    """
    path = Path(name).expanduser()
    if _PREFIX.fullmatch(name) and not path.exists():
        return _trial(store, name)
    if path.suffix == ".safetensors" and path.is_file():
        return _file(path, name)
    folder = published_folder(name)
    content = _identity("published", file_hashes(folder))
    return FoundModel(name, "published", content, lambda device: _named(load_published(folder, name, device), content))


def _trial(store: ObjectStore, prefix: str) -> FoundModel:
    parts = (split_checkpoint(info.key) for info in store.list(CHECKPOINTS))
    begun = {part[0] for part in parts if part is not None and part[0].startswith(prefix)}
    trials = sorted(trial for trial in begun if store.head(trial_key(trial)) is not None)
    if len(trials) != 1:
        which = f"{len(trials)} trials begin" if trials else "no trial begins"
        what = "give more digits" if trials else "`synth pretrain` trains them, and trials.json of a run lists them"
        raise ObjectMissing(f"{store.uri(CHECKPOINTS.removesuffix('/'))}: {which} with {prefix}: {what}")
    held = read_checkpoint(store, trials[0])
    return FoundModel(
        held.trial.label, "trial", held.fingerprint, lambda device: stored_model(store, held, device), held
    )


def _file(path: Path, name: str) -> FoundModel:
    held = read_file(path)
    content = _identity("file", {"weights": sha256_file(path)})
    return FoundModel(
        name, "file", content,
        lambda device: _named(trained_model(path.read_bytes(), held, str(path), device), content), held,
    )  # fmt: skip


def _named(model: VisionLanguageModel, content: str) -> VisionLanguageModel:
    return replace(model, identity=model_identity(content))


def _identity(kind: str, files: dict[str, str]) -> str:
    return hashlib.sha256(canonical_json({"kind": kind, "files": files}).encode()).hexdigest()
