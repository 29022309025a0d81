"""Progress for people: bars on a terminal, one line every few seconds elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from flows import terminal
from models.contracts import ProgressCallback

_EVERY = 10.0


class Progress:
    """Shows how far each stage is; `stage` may be called from any thread.

    The bars begin with the first stage, so that a flow that only calls others leaves the terminal to theirs.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or terminal.console(stderr=True)
        columns = (TextColumn("{task.description:<28}", markup=False), BarColumn(), MofNCompleteColumn())
        self._bars = Bars(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self.console)
        self._known: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._bars.stop()

    def say(self, text: str) -> None:
        """One line that stays on the screen."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def within(self, name: str) -> ProgressCallback:
        """A callback for the stages inside `name`."""
        return lambda stage, done, total, note="": self.stage(f"{name} {stage}", done, total, note)

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Stage `name` has finished `done` of `total`; `note` is shown beside it."""
        if self.console.is_terminal:
            with self._lock:
                if name not in self._known:
                    self._bars.start()
                    self._known[name] = self._bars.add_task(name, total=total)
            self._bars.update(self._known[name], completed=done, total=total, description=f"{name} {note}".strip())
        elif done >= total or time.monotonic() - self._said.get(name, -_EVERY) >= _EVERY:
            self._said[name] = time.monotonic()
            self.console.print(f"{name}: {done}/{total} {note}".rstrip(), highlight=False, markup=False)
