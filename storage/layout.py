"""Where everything is in a store: the one place that spells keys.

datasets/<name>/<version>/  recipe.yaml  reports/00042.parquet  pairs/00042.tar  pairs/00042.parquet
                            rejects/00042.parquet  manifest.json  card/
selections/<name>/<version>/<selection>/
runs/<run>/
tags/<name>/<tag>/000003.json
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DATASETS = "datasets/"
SELECTIONS = "selections/"
RUNS = "runs/"
TAGS = "tags/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INDEX = re.compile(r"pairs/(\d{5,})\.parquet$")
_PART = re.compile(r"(?:reports|pairs|rejects)/(\d{5,})\.(?:parquet|tar)$")


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
    def manifest(self) -> str:
        """Key of the manifest."""
        return self.key("manifest.json")

    def reports(self, shard: int) -> str:
        """Key of a shard's reports."""
        return self.key(f"reports/{shard:05d}.parquet")

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


def shard_of(key: str) -> int | None:
    """The shard that `key` is a part of: reports, rejects, tar or index; None for any other key."""
    found = _PART.search(key)
    return int(found[1]) if found else None


def selection_key(ref: DatasetRef, selection: str, name: str) -> str:
    """Key of a file of a selection."""
    return f"{SELECTIONS}{ref.name}/{ref.version}/{selection}/{name}"


def measure_key(ref: DatasetRef, measure: str, name: str) -> str:
    """Key of a file of a measurement."""
    return f"measures/{ref.name}/{ref.version}/{measure}/{name}"


def run_key(run: str, name: str) -> str:
    """Key of a file of a run."""
    return f"{RUNS}{run}/{name}"


def tag_key(dataset: str, tag: str, number: int) -> str:
    """Key of the `number`-th thing that a tag pointed to."""
    return f"{TAGS}{dataset}/{tag}/{number:06d}.json"


def plain_name(name: str) -> bool:
    """Whether `name` can name a dataset, a version or a tag."""
    return _NAME.fullmatch(name) is not None
