"""The table of what was done to the runs, printed at the end; lines come from the workers too, as test properties."""

from __future__ import annotations

from typing import cast

import pytest

PROPERTY = "chaos"
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.getreports(name)]
    lines = [line for report in reports if report.when == "call" for line in lines_of(report)]
    if not lines:
        return
    cells = [HEADINGS, *lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    terminalreporter.section("chaos: every run against an undisturbed one")
    for row in cells:
        first, *others = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        terminalreporter.line("  ".join([first, *others]))


def lines_of(report: pytest.TestReport) -> list[tuple[str, ...]]:
    """The lines that a test recorded under `PROPERTY`."""
    return [tuple(cast(list[str], value)) for name, value in report.user_properties if name == PROPERTY]
