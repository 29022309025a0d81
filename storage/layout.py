"""Where everything is in a store: the one place that spells keys.

datasets/<name>/<version>/  recipe.yaml  weights.json  models/<stage>.json
                            reports/00042.parquet  reports/00042.json  rejects/00042.parquet
                            pairs/00042.tar  pairs/00042.parquet  manifest.json  card/
selections/<name>/<version>/<selection>/
checkpoints/<trial>/        000384.safetensors  trial.json  000200.state.safetensors
predictions/<checkpoint>/<name>/<version>/<task>.parquet  <films>.safetensors (embeddings)
            of a model from elsewhere: predictions/model-<identity>/<name>/<version>/<task>.parquet
runs/<run>/                 trials.json  scores.json
tags/<name>/<tag>/000003.json
work/<name>/<version>/      attempts/<stage>/00042/1.json  1.error.json   failed/<stage>/00042.json
            of a version in the making only: once it is published, nothing of this is needed
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DATASETS = "datasets/"
SELECTIONS = "selections/"
CHECKPOINTS = "checkpoints/"
PREDICTIONS = "predictions/"
RUNS = "runs/"
TAGS = "tags/"
MEASURES = "measures/"
WORK = "work/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHARD = r"(?:\d{5}|[1-9]\d{5,8})"
_OF_VERSION = re.compile(
    rf"recipe\.yaml|weights\.json|manifest\.json|(?:reports|rejects)/{_SHARD}\.parquet|reports/{_SHARD}\.json"
    rf"|pairs/{_SHARD}\.(?:tar|parquet)|models/[a-z][a-z0-9_-]*\.json"
    r"|card/(?!Thumbs\.db$|desktop\.ini$)[A-Za-z0-9][A-Za-z0-9._-]*"
)
_OF_RUN = re.compile(r"[^/]+/(?:(?:scores|trials)\.json|[^/]+/(?:checkpoint\.safetensors|config\.json))")
_TRIAL = r"[0-9a-f]{64}"
_OF_CHECKPOINT = re.compile(rf"({_TRIAL})/(?:trial\.json|(\d{{6,}})\.safetensors|(?:\d{{6,}}\.)?state[A-Za-z0-9._-]*)")
_STATE = re.compile(rf"({_TRIAL})/(\d{{6,}})\.state\.safetensors")
_OF_PREDICTION = re.compile(
    rf"(?:({_TRIAL})-(\d{{6,}})|model-({_TRIAL}))/([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9][A-Za-z0-9._-]*)"
    r"/[0-9a-f]{16}\.(?:parquet|safetensors)"
)
_OF_WORK = re.compile(
    rf"(?:attempts/[a-z][a-z0-9_-]*/{_SHARD}/\d+(?:\.error)?|failed/[a-z][a-z0-9_-]*/{_SHARD})\.json"
)
_OF_TAG = re.compile(r"(\d{6}|[1-9]\d{6,11})\.json")
_INDEX = re.compile(r"pairs/(\d{5,})\.parquet$")
_REPORT_ENTRY = re.compile(r"reports/(\d{5,})\.json$")
_MODEL = re.compile(r"models/([a-z][a-z0-9_-]*)\.json$")
_PART = re.compile(r"(?:(?:reports|pairs|rejects)/(\d{5,})\.parquet|pairs/(\d{5,})\.tar|reports/(\d{5,})\.json)$")


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """One version of one dataset; its properties and methods are the keys of its objects."""

    name: str
    version: str

    def __post_init__(self) -> None:
        for part in (self.name, self.version):
            if not plain_name(part):
                raise ValueError(f"{part!r} cannot name a dataset or version: use letters, digits, '.', '_' and '-'")

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"

    @property
    def prefix(self) -> str:
        """Key of the version's folder, without a slash at its end."""
        return f"{DATASETS}{self.name}/{self.version}"

    @property
    def recipe(self) -> str:
        """Key of the frozen recipe."""
        return self.key("recipe.yaml")

    @property
    def weights(self) -> str:
        """Key of the frozen hashes of the weights that the recipe names."""
        return self.key("weights.json")

    @property
    def manifest(self) -> str:
        """Key of the manifest."""
        return self.key("manifest.json")

    def reports(self, shard: int) -> str:
        """Key of a shard's reports."""
        return self.key(f"reports/{shard:05d}.parquet")

    def report_entry(self, shard: int) -> str:
        """Key of the entry of a shard's reports, whose presence marks them as done."""
        return self.key(f"reports/{shard:05d}.json")

    def model_card(self, stage: str) -> str:
        """Key of the card of the model that a stage runs."""
        return self.key(f"models/{stage}.json")

    def pairs(self, shard: int) -> str:
        """Key of a shard's tar."""
        return self.key(f"pairs/{shard:05d}.tar")

    def index(self, shard: int) -> str:
        """Key of a shard's index, whose presence commits the shard."""
        return self.key(f"pairs/{shard:05d}.parquet")

    def rejects(self, shard: int) -> str:
        """Key of a shard's rejects."""
        return self.key(f"rejects/{shard:05d}.parquet")

    def card(self, name: str) -> str:
        """Key of a file of the dataset card."""
        return self.key(f"card/{name}")

    def key(self, relative: str) -> str:
        """Key of an object given relative to the version, as in the manifest."""
        return f"{self.prefix}/{relative}"

    def relative(self, key: str) -> str:
        """The other way round."""
        return key.removeprefix(f"{self.prefix}/")


def shard_of_index(key: str) -> int | None:
    """The shard whose index `key` is; None for any other key."""
    found = _INDEX.search(key)
    return int(found[1]) if found else None


def shard_of_report_entry(key: str) -> int | None:
    """The shard whose report entry `key` is; None for any other key."""
    found = _REPORT_ENTRY.search(key)
    return int(found[1]) if found else None


def stage_of_card(key: str) -> str | None:
    """The stage whose model card `key` is; None for any other key."""
    found = _MODEL.search(key)
    return found[1] if found else None


def shard_of(key: str) -> int | None:
    """The shard that `key` is a part of: reports and their entry, rejects, tar or index; None for any other key."""
    found = _PART.search(key)
    return int(found[1] or found[2] or found[3]) if found else None


def selection_key(ref: DatasetRef, selection: str, name: str) -> str:
    """Key of a file of a selection."""
    return f"{SELECTIONS}{ref.name}/{ref.version}/{selection}/{name}"


def measure_key(ref: DatasetRef, measure: str, name: str) -> str:
    """Key of a file of a measurement."""
    return f"{MEASURES}{ref.name}/{ref.version}/{measure}/{name}"


def checkpoint_key(trial: str, step: int) -> str:
    """Key of a trial's weights after so many steps; `trial` is its fingerprint."""
    return f"{CHECKPOINTS}{trial}/{step:06d}.safetensors"


def state_key(trial: str, step: int) -> str:
    """Key of what an interrupted training of a trial goes on from after `step` steps."""
    return f"{CHECKPOINTS}{trial}/{step:06d}.state.safetensors"


def split_state(key: str) -> tuple[str, int] | None:
    """Trial and step of a state's key; None where it is no such key."""
    found = _STATE.fullmatch(key.removeprefix(CHECKPOINTS)) if key.startswith(CHECKPOINTS) else None
    return None if found is None else (found[1], int(found[2]))


def trial_key(trial: str) -> str:
    """Key of what people and other commands read about a trial's final checkpoint."""
    return f"{CHECKPOINTS}{trial}/trial.json"


def prediction_key(trial: str, step: int, test: DatasetRef, task: str) -> str:
    """Key of what a checkpoint predicts for a test set; `task` is 16 digits that name a task and its settings."""
    return f"{PREDICTIONS}{checkpoint_identity(trial, step)}/{test}/{task}.parquet"


def model_prediction_key(identity: str, test: DatasetRef, task: str) -> str:
    """Key of what a model that no trial of this store made predicts; `identity` is a SHA-256 of its content."""
    return f"{PREDICTIONS}{model_identity(identity)}/{test}/{task}.parquet"


def checkpoint_identity(trial: str, step: int) -> str:
    """What keys call the checkpoint of a trial after so many steps."""
    return f"{trial}-{step:06d}"


def model_identity(identity: str) -> str:
    """What keys call a model that no trial of this store made."""
    return f"model-{identity}"


def embedding_key(model: str, films: DatasetRef, chosen: str) -> str:
    """Key of a model's image embeddings, beside its predictions; `chosen` is 16 digits that name the films taken."""
    return f"{PREDICTIONS}{model}/{films}/{chosen}.safetensors"


def run_key(run: str, name: str) -> str:
    """Key of a file of a run."""
    return f"{RUNS}{run}/{name}"


def tag_key(dataset: str, tag: str, number: int) -> str:
    """Key of the `number`-th thing that a tag pointed to."""
    return f"{TAGS}{dataset}/{tag}/{number:06d}.json"


def attempts_prefix(ref: DatasetRef, stage: str, shard: int) -> str:
    """Folder of the notes of a stage's attempts at a shard, with a slash at its end."""
    return f"{WORK}{ref}/attempts/{stage}/{shard:05d}/"


def attempt_key(ref: DatasetRef, stage: str, shard: int, number: int) -> str:
    """Key of the note that a stage's attempt at a shard begins; the first is number 1."""
    return f"{attempts_prefix(ref, stage, shard)}{number}.json"


def attempt_error_key(ref: DatasetRef, stage: str, shard: int, number: int) -> str:
    """Key of the note of the error that ended an attempt."""
    return f"{attempts_prefix(ref, stage, shard)}{number}.error.json"


def failed_key(ref: DatasetRef, stage: str, shard: int) -> str:
    """Key of what is known of a shard that is set aside."""
    return f"{WORK}{ref}/failed/{stage}/{shard:05d}.json"


def split_work(key: str) -> tuple[DatasetRef, str] | None:
    """The version that a note under ``work/`` is about, and the rest of its key; None where it is foreign."""
    parts = key.removeprefix(WORK).split("/", 2)
    if len(parts) < 3 or not (plain_name(parts[0]) and plain_name(parts[1]) and _OF_WORK.fullmatch(parts[2])):
        return None
    return DatasetRef(parts[0], parts[1]), parts[2]


def split_version(key: str) -> tuple[DatasetRef, str] | None:
    """The version that an object under ``datasets/`` is a part of, and its key in it; None where it is foreign.

    Foreign is what no part of this project writes: folder markers of S3 browsers, ``.DS_Store``, ``.nfs…``, others'
    folders.
    """
    parts = key.split("/", 3)
    if len(parts) < 4 or not (plain_name(parts[1]) and plain_name(parts[2]) and _OF_VERSION.fullmatch(parts[3])):
        return None
    return DatasetRef(parts[1], parts[2]), parts[3]


def split_tag(key: str) -> tuple[str, str, int] | None:
    """Dataset, tag and number of an object under ``tags/``; None where it is foreign."""
    parts = key.removeprefix(TAGS).split("/")
    found = _OF_TAG.fullmatch(parts[-1])
    if len(parts) != 3 or found is None or not (plain_name(parts[0]) and plain_name(parts[1])):
        return None
    return parts[0], parts[1], int(found[1])


def split_selection(key: str) -> tuple[DatasetRef, str] | None:
    """The version and name of a selection under ``selections/``; None where the object is foreign."""
    parts = key.removeprefix(SELECTIONS).split("/")
    if len(parts) != 4 or not all(map(plain_name, parts[:3])) or parts[3] != "selection.parquet":
        return None
    return DatasetRef(parts[0], parts[1]), parts[2]


def split_checkpoint(key: str) -> tuple[str, int | None] | None:
    """The trial of an object under ``checkpoints/``, and the step where it is weights; None where it is foreign."""
    found = _OF_CHECKPOINT.fullmatch(key.removeprefix(CHECKPOINTS))
    return (found[1], int(found[2]) if found[2] else None) if found else None


def split_prediction(key: str) -> tuple[str, int | None, DatasetRef] | None:
    """Trial, step and test version of an object under ``predictions/``; None where it is foreign.

    Of a model that no trial made it is its identity, and None for the step.
    """
    found = _OF_PREDICTION.fullmatch(key.removeprefix(PREDICTIONS))
    if found is None:
        return None
    test = DatasetRef(found[4], found[5])
    return (found[1], int(found[2]), test) if found[1] else (found[3], None, test)


def foreign(key: str) -> bool:
    """Whether an object is in one of the project's folders without being one that the project writes."""
    folder = key.partition("/")[0] + "/"
    if folder == RUNS:
        return _OF_RUN.fullmatch(key.removeprefix(RUNS)) is None
    if folder == MEASURES:
        parts = key.removeprefix(MEASURES).split("/")
        return len(parts) != 4 or not all(map(plain_name, parts[:2])) or not parts[3].endswith(".parquet")
    splits = {
        DATASETS: split_version,
        TAGS: split_tag,
        SELECTIONS: split_selection,
        CHECKPOINTS: split_checkpoint,
        PREDICTIONS: split_prediction,
        WORK: split_work,
    }
    split = splits.get(folder)
    return split is not None and split(key) is None


def plain_name(name: str) -> bool:
    """Whether `name` can name a dataset, a version or a tag."""
    return _NAME.fullmatch(name) is not None


def printable(key: str) -> str:
    """`key` with bytes that are no text written out, as foreign files may have them in their names."""
    return key.encode("utf-8", "backslashreplace").decode()
