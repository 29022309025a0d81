"""Grade a recogniser against labels: counts, precision and recall per label, and pooled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.public_corpora import Labelled
from models.contracts import Recogniser

OPENI: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "pleural effusion": ("pleural effusion", ("pleural effusion",)),
    "cardiomegaly": ("cardiomegaly", ("cardiomegaly",)),
    "atelectasis": ("pulmonary atelectasis", ("atelectasis",)),
    "pneumothorax": ("pneumothorax", ("pneumothorax",)),
}
"""What is graded on OpenI: a name, its MeSH base term, and the concepts that say it."""
_AIR = ("airspace opacity", "consolidation", "pneumonia", "infiltrate", "ground-glass opacity")
SILVER: Mapping[str, tuple[str, ...]] = {
    "pleural_effusion": ("pleural effusion", "costophrenic blunting"),
    "pneumothorax": ("pneumothorax",),
    "pulmonary_congestion_pulmonary_venous_congestion": ("vascular congestion", "pulmonary edema"),
    "air_space_opacity": _AIR,
    "cardiomegaly": ("cardiomegaly",),
    "pulmonary_edema": ("pulmonary edema",),
    "atelectasis": ("atelectasis",),
    "pneumonia": ("pneumonia",),
    "enteric_tube": ("enteric tube",),
    "endotracheal_tube": ("endotracheal tube",),
    "lung_opacity": ("lung opacity", "airspace opacity"),
    "consolidation": ("consolidation",),
    "central_venous_catheter": ("central venous catheter",),
    "intercostal_drain": ("chest tube",),
    "emphysema": ("emphysema", "subcutaneous emphysema"),
    "pacemaker_electronic_cardiac_device_or_wires": ("pacemaker",),
}
"""radlabels' label to the concepts that say it, by how radlabels' own dictionary defines the label."""


@dataclass(frozen=True, slots=True)
class Grade:
    """One label's counts over a corpus."""

    label: str
    right: int
    invented: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of what was recognised that is true; NaN where nothing was recognised."""
        return self.right / (self.right + self.invented) if self.right + self.invented else float("nan")

    @property
    def recall(self) -> float:
        """Share of what is true that was recognised; NaN where nothing is true."""
        return self.right / (self.right + self.missed) if self.right + self.missed else float("nan")


def grade(
    recogniser: Recogniser, corpus: Sequence[Labelled], labels: Mapping[str, tuple[str, tuple[str, ...]]]
) -> list[Grade]:
    """Grade each label, then ``micro`` over all of them; doubt in the gold counts as stated.

    Args:
        recogniser: what is graded.
        corpus: reports with gold or silver labels.
        labels: name in the table to the label in the corpus and the concepts that say it (any of them).
    """
    found = recogniser.recognise([report.text for report in corpus])
    rows = []
    for name, (label, concepts) in labels.items():
        counts: Counter[tuple[bool, bool]] = Counter()
        for report, concept in zip(corpus, found, strict=True):
            true = report.found.get(label) in ("present", "uncertain")
            counts[true, any(concept.get(known, False) for known in concepts)] += 1
        rows.append(Grade(name, counts[True, True], counts[False, True], counts[True, False]))
    pooled = (sum(getattr(row, part) for row in rows) for part in ("right", "invented", "missed"))
    return [*rows, Grade("micro", *pooled)]


def commonest(corpus: Sequence[Labelled], count: int) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The `count` labels that speak most often in a silver corpus, stated or denied, with their concepts.

    Raises:
        KeyError: a label has no concepts in `SILVER`.
    """
    spoken = Counter(label for report in corpus for label in report.found)
    return {label: (label, SILVER[label]) for label, _ in spoken.most_common(count)}
