"""Near-duplicate reports by MinHash over runs of words (datasketch)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datasketch import MinHash, MinHashLSH

from models.contracts import Candidate, GateScore
from models.typed import Mass

PERMUTATIONS, SHINGLE = 128, 3
MODEL = f"minhash/{PERMUTATIONS}/{SHINGLE}"


class NearDuplicate:
    """1 - Jaccard similarity of word runs with the nearest earlier report of the shard; 1.0 where none is near.

    Across shards `tasks.audit.duplicates` compares the whole dataset, since shards are made in any order.

    Args:
        nearest: least similarity at which a neighbour is searched for.
    """

    name: str = "near_duplicate"

    def __init__(self, nearest: Mass = 0.5) -> None:
        self.nearest = nearest
        self.reset()

    def reset(self) -> None:
        """Start a new shard."""
        self._index = Index(self.nearest)

    def update(self, accepted: Sequence[Candidate]) -> None:
        """Reports that later ones are compared with."""
        for candidate in accepted:
            self._index.add(candidate.sample_id, minhash(_text(candidate)))

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in [0, 1]; within `batch` only the later of two is a duplicate."""
        index = self._index.copy()
        return [self._one(index, candidate) for candidate in batch]

    def _one(self, index: Index, candidate: Candidate) -> GateScore:
        sketch = minhash(_text(candidate))
        other, similarity = index.nearest(sketch, candidate.sample_id)
        index.add(candidate.sample_id, sketch)
        reason = f"{similarity:.2f} of its word runs are those of {other}" if other else ""
        return GateScore(self.name, 1.0 - similarity, reason, MODEL)


class Index:
    """Sketches by name with their nearest neighbour."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._lsh = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._sketches: dict[str, MinHash] = {}

    def add(self, name: str, sketch: MinHash) -> None:
        """Add a sketch; a name that is known already keeps its first."""
        if name not in self._sketches:
            self._lsh.insert(name, sketch)
            self._sketches[name] = sketch

    def nearest(self, sketch: MinHash, but: str = "") -> tuple[str, float]:
        """The most similar sketch at or above the threshold, but for `but`; ("", 0.0) where there is none."""
        near = [(sketch.jaccard(self._sketches[str(name)]), str(name)) for name in self._lsh.query(sketch)]
        similarity, name = max(
            ((value, other) for value, other in near if other != but and value >= self.threshold), default=(0.0, "")
        )
        return name, similarity

    def copy(self) -> Index:
        """Another index with the same sketches."""
        other = Index(self.threshold)
        for name, sketch in self._sketches.items():
            other.add(name, sketch)
        return other


def minhash(text: str) -> MinHash:
    """The sketch of a text's runs of three words, in lower case."""
    sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
    sketch.update_batch([run.encode() for run in sorted(word_runs(text))])
    return sketch


def word_runs(text: str) -> frozenset[str]:
    """Runs of three words in lower case, signs left out; a shorter text is one run."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1)))


def _text(candidate: Candidate) -> str:
    return f"{candidate.findings} {candidate.impression}"
