"""Near-duplicates within a shard: the later of two, never a report and itself."""

from __future__ import annotations

from models.contracts import Candidate, StatefulGate
from models.gates.text.duplicates import Index, NearDuplicate, minhash

LONG = "There is a moderate left pleural effusion with a small right apical nodule and mild cardiomegaly, no edema."
OTHER = "The thoracic spine shows severe scoliosis; an endotracheal tube ends above the carina and all else is normal."


def candidate(name: str, text: str) -> Candidate:
    return Candidate(name, (), text, "")


def test_the_later_of_two_alike_is_the_duplicate() -> None:
    gate = NearDuplicate()
    assert isinstance(gate, StatefulGate)
    first, other, copy = gate.score([candidate("a", LONG), candidate("b", OTHER), candidate("c", LONG + " Again.")])
    assert (first.score, other.score) == (1.0, 1.0)
    assert copy.score < 0.3
    assert "are those of a" in copy.reason


def test_only_the_remembered_count_later_and_a_new_shard_forgets() -> None:
    gate = NearDuplicate()
    gate.score([candidate("a", LONG)])
    assert gate.score([candidate("b", LONG)])[0].score == 1.0
    gate.update([candidate("a", LONG)])
    assert gate.score([candidate("a", LONG)])[0].score == 1.0
    assert gate.score([candidate("b", LONG)])[0].score == 0.0
    gate.reset()
    assert gate.score([candidate("b", LONG)])[0].score == 1.0


def test_the_sketch_estimates_the_jaccard_similarity_of_word_runs() -> None:
    text = " ".join(f"word{n}" for n in range(102))
    half = " ".join(f"word{n}" for n in range(52)) + " " + " ".join(f"new{n}" for n in range(50))
    assert abs(minhash(text).jaccard(minhash(half)) - 50 / 150) < 0.12
    assert Index(0.5).nearest(minhash("")) == ("", 0.0)
