"""The attempt loop of both stages: make a batch, score it, decide, and try again only what failed.

Where the maker runs on a GPU, one thread scores a batch while the next is made: the maker never waits for the gates
but at the end of an attempt. Batches are scored one at a time and in order, so the outcome is as if nothing ran side
by side. On a CPU nothing does: the gates would take their cores from the generator, which cost a tenth of its pace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from models.contracts import Candidate, Gate, StatefulGate
from storage.records import GateRow
from tasks.generate.decide import decide

SeedOf = Callable[[str, int], int]
"""The seed for a sample id and an attempt (from 0)."""
SettledCallback = Callable[[int, int], None]
"""Called with samples that need no further attempt, and samples in all."""
S = TypeVar("S")
M = TypeVar("M")


@dataclass(slots=True)
class SampleState(Generic[S, M]):
    """What has come of one sample so far.

    Args:
        sample: what is asked for.
        sample_id: its id.
        made: what the last attempt made; None where it made nothing that could be scored.
        seed: of the last attempt.
        attempts: how many there were.
        gates: the last attempt's scores.
        failed: the first gate that the last attempt failed; None where it passed.
        given_up: no further attempt is worth while.
    """

    sample: S
    sample_id: str
    made: M | None = None
    seed: int = 0
    attempts: int = 0
    gates: list[GateRow] = field(default_factory=list)
    failed: GateRow | None = None
    given_up: bool = False

    def fail(self, gate: str, reason: str) -> GateRow:
        """Mark the attempt as failed for a reason that no gate gives, and return its row."""
        self.failed = GateRow(gate=gate, score=0.0, threshold=1.0, passed=False, reason=reason)
        return self.failed


class Maker(Protocol[S, M]):
    """The part of a stage that depends on what it makes."""

    def make(self, batch: Sequence[SampleState[S, M]], attempt: int) -> None:
        """Set `made` of each state, or have it fail."""
        ...

    def candidates(self, batch: Sequence[SampleState[S, M]]) -> Sequence[Candidate]:
        """What the gates see of states that have something `made`."""
        ...

    def settle(self, state: SampleState[S, M]) -> None:
        """Look at a state that the gates have decided on; it may still fail it."""
        ...


@dataclass(frozen=True, slots=True)
class Attempts:
    """How samples are tried.

    Args:
        most: attempts per sample.
        seed_of: seeds.
        batch: samples that are made at a time; None is all.
        beside: score a batch while the next is made.
    """

    most: int
    seed_of: SeedOf
    batch: int | None = None
    beside: bool = False


def run_attempts(
    states: Sequence[SampleState[S, M]],
    maker: Maker[S, M],
    gates: Sequence[tuple[Gate, float]],
    attempts: Attempts,
    on_progress: SettledCallback | None = None,
) -> dict[str, float]:
    """Try every sample until it passes all gates or has had its attempts; a failed one gets a new seed.

    Args:
        states: the samples, which are changed in place.
        maker: makes them.
        gates: each with the score that it takes to pass; those with a state of accepted samples are reset.
        attempts: how often and with which seeds.
        on_progress: called after each batch that was scored.

    Returns:
        Milliseconds by gate, ``ms.gate.<name>``, for every gate that reports its cost.
    """
    scorer = _Scorer(maker, gates)
    pending = states
    with ThreadPoolExecutor(1, thread_name_prefix="gates") if attempts.beside else SynchronousExecutor() as executor:
        for attempt in range(attempts.most):
            last, size = attempt + 1 == attempts.most, attempts.batch or len(pending) or 1
            scoring: Future[None] | None = None
            for start in range(0, len(pending), size):
                batch = pending[start : start + size]
                for state in batch:
                    state.made, state.attempts = None, attempt + 1
                    state.seed = attempts.seed_of(state.sample_id, attempt)
                maker.make(batch, attempt)
                if scoring is not None:
                    scoring.result()
                scoring = executor.submit(scorer.score, batch)
                if on_progress is not None and start:
                    on_progress(_settled(states, pending, start, last), len(states))
            if scoring is not None:
                scoring.result()
                if on_progress is not None:
                    on_progress(_settled(states, pending, len(pending), last), len(states))
            pending = [state for state in pending if _goes_on(state)]
    return scorer.spent


class SynchronousExecutor(Executor):
    """An executor that does the work in the calling thread before `submit` returns; an error is raised there."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future that is done."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class _Scorer(Generic[S, M]):
    """Scores batches in their order and decides on them."""

    def __init__(self, maker: Maker[S, M], gates: Sequence[tuple[Gate, float]]) -> None:
        self._maker, self._gates = maker, [gate for gate, _ in gates]
        self._thresholds = {gate.name: threshold for gate, threshold in gates}
        self._stateful = [gate for gate in self._gates if isinstance(gate, StatefulGate)]
        self.spent = defaultdict[str, float](float)
        for gate in self._stateful:
            gate.reset()

    def score(self, batch: Sequence[SampleState[S, M]]) -> None:
        made = [state for state in batch if state.made is not None]
        if not made:
            return
        candidates = self._maker.candidates(made)
        columns = [gate.score(candidates) for gate in self._gates]
        for column in columns:
            for score in column:
                self.spent[f"ms.gate.{score.gate}"] += 1000 * score.seconds
        for number, state in enumerate(made):
            state.gates, state.failed = decide([column[number] for column in columns], self._thresholds)
            self._maker.settle(state)
        accepted = [candidate for state, candidate in zip(made, candidates, strict=True) if state.failed is None]
        for gate in self._stateful:
            gate.update(accepted)


def _goes_on(state: SampleState[S, M]) -> bool:
    return state.failed is not None and not state.given_up


def _settled(
    states: Sequence[SampleState[S, M]], pending: Sequence[SampleState[S, M]], scored: int, last: bool
) -> int:
    """Samples that need no further attempt, when the first `scored` of those `pending` have been scored."""
    again = 0 if last else sum(_goes_on(state) for state in pending[:scored])
    return len(states) - (len(pending) - scored) - again
