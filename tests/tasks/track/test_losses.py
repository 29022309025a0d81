"""A run survives its log: failures are told once, counted, and not met again for a while when they cost time."""

from __future__ import annotations

import pytest

from storage.errors import StoreFull
from tasks.track.losses import Losses


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def losses(said: list[str], clock: Clock) -> Losses:
    return Losses(said.append, clock)


def test_what_works_is_passed_on_and_nothing_is_said(losses: Losses, said: list[str]) -> None:
    assert losses.attempt(lambda: 7) == 7
    losses.report()
    assert said == []


def test_the_first_failure_is_told_and_the_sum_at_the_end(losses: Losses, said: list[str]) -> None:
    def refuse() -> None:
        raise ValueError("no\nsuch run at http://me:CANARY@host")

    for _ in range(3):
        assert losses.attempt(refuse) is None
    assert losses.attempt(lambda: 7) == 7
    losses.report()
    assert len(said) == 2
    assert all(len(line.splitlines()) == 1 for line in said)
    assert "no such run" in said[0]
    assert "the run goes on" in said[0]
    assert "3 records" in said[1]
    assert "CANARY" not in "".join(said)


def test_a_server_that_is_down_is_not_asked_again_for_a_minute(losses: Losses, clock: Clock) -> None:
    asked = []

    def hang() -> None:
        asked.append(clock.now)
        clock.now += 8
        raise ConnectionError("Max retries exceeded")

    for _ in range(5):
        losses.attempt(hang)
    assert asked == [0]
    assert losses.count == 5
    assert losses.attempt(lambda: 7, though_down=True) == 7
    clock.now += 61
    assert losses.attempt(lambda: 7) == 7


def test_a_full_store_says_so_in_its_own_words(losses: Losses, said: list[str]) -> None:
    def full() -> None:
        raise StoreFull("bucket 'films' is full: make room")

    losses.attempt(full)
    assert "bucket 'films' is full: make room" in said[0]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_is_no_failure(losses: Losses, stop: type[BaseException]) -> None:
    def end() -> None:
        raise stop

    with pytest.raises(stop):
        losses.attempt(end)


@pytest.mark.parametrize(
    "text",
    [
        "(sqlite3.IntegrityError) UNIQUE constraint failed: tags.key, tags.run_uuid [SQL: INSERT INTO tags …]",
        '(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "dataset_pk"',
        "(pymysql.err.IntegrityError) (1062, \"Duplicate entry 'a-b' for key 'PRIMARY'\")",
    ],
)
def test_a_row_that_another_run_wrote_in_between_is_tried_again_and_no_statement_is_shown(
    losses: Losses, said: list[str], text: str
) -> None:
    failures = [RuntimeError(text)]

    def call() -> str:
        if failures:
            raise failures.pop()
        return "taken"

    assert losses.attempt(call) == "taken"
    assert (losses.count, said) == (0, [])
    failures.extend(RuntimeError(text) for _ in range(9))
    assert losses.attempt(call) is None
    assert losses.count == 1
    assert len(failures) == 6
    assert "SQL:" not in said[0]
