"""The attempt loop, which serves any stage: here one that makes numbers."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from models.contracts import Candidate, GateScore
from tasks.generate.attempts import Attempts, SampleState, SynchronousExecutor, run_attempts

State = SampleState[str, int]


class Numbers:
    """Makes the seed of each attempt (protocol `tasks.generate.attempts.Maker`)."""

    def __init__(self, broken: Sequence[str] = (), hopeless: Sequence[str] = ()) -> None:
        self.broken, self.hopeless = broken, hopeless
        self.made: list[list[str]] = []
        self.settled: list[str] = []

    def make(self, batch: Sequence[State], attempt: int) -> None:
        self.made.append([f"{state.sample_id}.{attempt}" for state in batch])
        for state in batch:
            if state.sample_id in self.broken:
                state.gates = [state.fail("draft", "broken")]
            else:
                state.made = state.seed
            state.given_up = state.sample_id in self.hopeless

    def candidates(self, batch: Sequence[State]) -> list[Candidate]:
        return [Candidate(state.sample_id, (), str(state.made), "") for state in batch]

    def settle(self, state: State) -> None:
        self.settled.append(state.sample_id)


class AtLeast:
    """Passes samples whose number, the attempt, is at least what their id asks for."""

    name = "at_least"

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        return [GateScore(self.name, float(int(c.findings) >= int(c.sample_id[1:])), seconds=0.25) for c in batch]


class Accepted(AtLeast):
    """As `AtLeast`, and it remembers what was accepted."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = [["from another shard"]]

    def reset(self) -> None:
        self.seen = []

    def update(self, accepted: Sequence[Candidate]) -> None:
        self.seen.append([candidate.sample_id for candidate in accepted])


def states(*needs: int) -> list[State]:
    return [State(f"x{need}", f"x{need}") for need in needs]


def attempts(most: int = 3, batch: int | None = None, beside: bool = False) -> Attempts:
    return Attempts(most, lambda _, attempt: attempt, batch, beside)


@pytest.mark.parametrize("beside", [False, True])
def test_only_what_failed_is_tried_again_batch_by_batch(beside: bool) -> None:
    maker, every = Numbers(), states(0, 1, 2, 9)
    spent = run_attempts(every, maker, [(AtLeast(), 1.0)], attempts(batch=2, beside=beside))
    assert maker.made == [["x0.0", "x1.0"], ["x2.0", "x9.0"], ["x1.1", "x2.1"], ["x9.1"], ["x2.2", "x9.2"]]
    assert [state.attempts for state in every] == [1, 2, 3, 3]
    assert [state.failed is None for state in every] == [True, True, True, False]
    assert spent == {"ms.gate.at_least": 250.0 * 9}


def test_what_cannot_be_made_is_not_scored_and_what_is_given_up_is_not_tried_again() -> None:
    maker, every = Numbers(broken=["x0"], hopeless=["x9"]), states(0, 1, 9)
    run_attempts(every, maker, [(AtLeast(), 1.0)], attempts(most=2))
    assert maker.made == [["x0.0", "x1.0", "x9.0"], ["x0.1", "x1.1"]]
    assert "x0" not in maker.settled
    assert every[0].failed is not None
    assert (every[0].failed.gate, every[0].failed.reason) == ("draft", "broken")


def test_a_gate_that_remembers_begins_anew_and_is_told_what_was_accepted() -> None:
    gate = Accepted()
    run_attempts(states(0, 1), Numbers(), [(gate, 1.0)], attempts(batch=1))
    assert gate.seen == [["x0"], [], ["x1"]]


def test_progress_counts_what_needs_no_further_attempt() -> None:
    told: list[tuple[int, int]] = []
    run_attempts(states(0, 9, 1), Numbers(), [(AtLeast(), 1.0)], attempts(2, 2), lambda *seen: told.append(seen))
    assert told == [(1, 3), (1, 3), (3, 3)]
    told.clear()
    run_attempts(states(), Numbers(), [], attempts(), lambda *seen: told.append(seen))
    assert told == []


def test_the_synchronous_executor_works_in_the_calling_thread_and_raises_there() -> None:
    with SynchronousExecutor() as executor:
        assert executor.submit(threading.get_ident).result() == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 / 0)
