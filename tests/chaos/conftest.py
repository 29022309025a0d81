"""The undisturbed run that all others are compared with, and the table of what was done to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

import pytest

from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.versions import open_dataset
from tests.chaos.trial import REF, Life, Verdict, content, judge, recipe_of

HEADINGS = (
    "trial",
    "disturbances",
    "lives",
    "shards repeated",
    "objects",
    "swept by gc",
    "differing",
    "lost",
    "twice",
    "orphans",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    trial: str
    disturbances: int
    lives: int
    repeated: int
    verdict: Verdict
    seconds: float


_TABLE: list[Line] = []


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run that nothing happened to leaves: SHA-256 by key."""
    store = LocalStore(tmp_path_factory.mktemp("undisturbed"))
    life = Life(recipe_of(), store).start().wait()
    assert life.code == 0, life.failure
    return content(open_dataset(store, REF))


@pytest.fixture
def conclude(undisturbed: dict[str, str]) -> Callable[..., None]:
    """Judge a store, put a line in the table, and see that nothing is wrong."""
    begun = time.monotonic()

    def conclude(trial: str, store: ObjectStore, lives: list[Life], disturbances: int) -> None:
        verdict = judge(recipe_of(), store, undisturbed)
        _TABLE.append(Line(trial, disturbances, len(lives), repeated(lives), verdict, time.monotonic() - begun))
        assert verdict.faults == 0, verdict

    return conclude


def repeated(lives: list[Life]) -> int:
    """How many times a shard was worked on that an earlier life had worked on already."""
    return sum(len(life.worked()) for life in lives) - len(set().union(*(life.worked() for life in lives)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if not _TABLE:
        return
    cells: list[tuple[str, ...]] = [HEADINGS]
    for line in _TABLE:
        verdict = astuple(line.verdict)
        numbers = (line.disturbances, line.lives, line.repeated, *verdict)
        cells.append((line.trial, *(str(number) for number in numbers), f"{line.seconds:.1f}"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    terminalreporter.section("chaos: every run against an undisturbed one")
    for row in cells:
        first, *others = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        terminalreporter.line("  ".join([first, *others]))
