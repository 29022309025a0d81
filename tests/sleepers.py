"""Processes that do nothing, for tests of what starts and ends processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from storage.process import Service, end_services, spawn

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"]
"""Command lines of a process that sleeps, and of one that starts such a child."""


class StartService(Protocol):
    """Starts a service by name."""

    def __call__(self, name: str, argv: list[str] = SLEEPER) -> Service: ...


@contextmanager
def services_of(state: Path) -> Iterator[StartService]:
    """Start services whose records lie in the folder `state`; at the end all of them are ended."""
    started: list[Service] = []

    def start(name: str, argv: list[str] = SLEEPER) -> Service:
        started.append(spawn(name, state, argv))
        return started[-1]

    yield start
    end_services(state, {service.name: None for service in started})
