"""Near-duplicate reports over a whole dataset or corpus: each with the earlier report that it repeats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.gates.text.duplicates import Index, minhash
from tasks.corpora.reports import Report


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A report, the earlier one nearest to it, and the Jaccard similarity of their word runs (MinHash's estimate)."""

    name: str
    of: str
    similarity: float


def near_duplicates(reports: Iterable[Report], threshold: float = 0.7) -> tuple[int, list[Duplicate]]:
    """How many reports there are, and which are near-duplicates of an earlier one, in order.

    Give a dataset's reports in the order of their index: which of two counts as the copy follows from the order.

    Args:
        reports: named texts.
        threshold: similarity from which a report is a near-duplicate.
    """
    index, found, number = Index(threshold), [], 0
    for number, report in enumerate(reports, start=1):
        sketch = minhash(report.text)
        other, similarity = index.nearest(sketch)
        if other:
            found.append(Duplicate(report.name, other.partition(" ")[2], similarity))
        index.add(f"{number} {report.name}", sketch)
    return number, found
