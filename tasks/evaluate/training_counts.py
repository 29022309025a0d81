"""How often each finding of a test set is there in the pairs that a trial was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.findings.label_sets import load
from models.findings.mapping import PRESENT, map_labels
from storage.errors import CorruptShard, DatasetMissing, ObjectMissing
from storage.layout import DatasetRef
from storage.versions import Version
from tasks.evaluate.prompts import DEFAULT
from tasks.pretrain.subset import open_subset

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from tasks.pretrain.arms import Draw, Trial


@dataclass(frozen=True, slots=True)
class TrainingCounts:
    """Films with each finding among a trial's training pairs.

    Args:
        positives: by label of the test set; one that no film has, or that no label of the training data stands for,
            is not in it.
        missing: why nothing could be counted; empty where it could.
    """

    positives: Mapping[str, int]
    missing: str = ""


@dataclass(slots=True)
class TrainingCounter:
    """Counts trials; the rows of a version are read once for all of them.

    Args:
        store: where the training data are.
        label_set: of the test set; labels of other sets are mapped to it by meaning.
    """

    store: ObjectStore
    label_set: str
    _present: dict[DatasetRef, dict[str, tuple[str, ...]]] = field(
        default_factory=dict[DatasetRef, dict[str, tuple[str, ...]]]
    )

    def count(self, trial: Trial) -> TrainingCounts:
        """The counts of a trial, or the reason why its data cannot be counted: they are gone, or of unknown labels."""
        if not trial.arm.mix:
            return TrainingCounts({}, "nothing was trained")
        found: Counter[str] = Counter()
        try:
            for draw in trial.arm.mix:
                present = self._version(draw)
                for sample in open_subset(self.store, draw, trial.seed).ids:
                    found.update(present[sample])
        except (ObjectMissing, DatasetMissing, CorruptShard, ValueError) as error:
            return TrainingCounts({}, " ".join(str(error).split()))
        return TrainingCounts(dict(found))

    def _version(self, draw: Draw) -> dict[str, tuple[str, ...]]:
        """The findings of every sample of a version, as labels of the test set."""
        ref = DatasetRef(draw.dataset, draw.version)
        if ref not in self._present:
            version = Version.open(self.store, ref)
            source, target = load(version.manifest.label_set or DEFAULT), load(self.label_set or DEFAULT)
            self._present[ref] = {
                row.sample_id: tuple(
                    name for name, value in map_labels(row.labels, source, target).items() if value == PRESENT
                )
                for row in version.rows()
            }
        return self._present[ref]
