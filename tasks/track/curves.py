"""Record a training while it runs: its curve point by point, and what the machine does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.track.tracker import TrackedRun

EVERY = 10.0
"""Seconds after which the points that came in meanwhile are recorded together."""
_END = 3.0


class LiveCurve:
    """A series that is recorded while it grows, each step once.

    A run that is taken up again holds points already; those steps are left out.

    Args:
        run: where it is recorded.
        name: of the series.
        clock: seconds, for tests.
    """

    def __init__(self, run: TrackedRun, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._run, self._name, self._clock = run, name, clock
        self._known, self._sent = run.steps(name), clock()
        self._waiting: list[tuple[int, float]] = []

    def add(self, step: int, value: float) -> None:
        """The value at a step."""
        if step in self._known:
            return
        self._known.add(step)
        self._waiting.append((step, value))
        if self._clock() - self._sent >= EVERY:
            self.send()

    def fill(self, values: Sequence[float]) -> None:
        """The whole series, from step 1: what of it is not recorded yet, now."""
        for step, value in enumerate(values, 1):
            self.add(step, value)
        self.send()

    def send(self) -> None:
        """Record the points that wait."""
        self._run.points(self._name, self._waiting)
        self._waiting, self._sent = [], self._clock()


@contextmanager
def system_metrics(run: TrackedRun) -> Iterator[None]:
    """Record use of processors, memory, disk, network and GPUs in `run` every ten seconds, by MLflow's own monitor."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = run.attempt(
        lambda: SystemMetricsMonitor(run.id, resume_logging=True, tracking_uri=run.client.tracking_uri)
    )
    if monitor is None:
        yield
        return
    monitor.start()
    try:
        yield
    finally:
        ending = threading.Thread(target=monitor.finish, name="end of system metrics", daemon=True)
        ending.start()
        ending.join(_END)  # a server that does not answer is not waited for
