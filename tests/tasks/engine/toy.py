"""A stage that an engine has never heard of: it writes a note for every shard."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from models.contracts import ModelNotFound, ProgressCallback
from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.engine.stage import Resources


class NoteStage:
    """Writes ``notes/<name>/<shard>`` and who wrote it (protocol `tasks.engine.stage.Stage`).

    Args:
        name: of the stage.
        store: where the notes go.
        resources: what a worker needs.
        after: the stage whose note must be there first.
        dies_at: kills its own process once, at this shard.
        fails_at: always raises, at this shard.
        kills_at: always kills its own process, at this shard.
        refuses: finds no model, whatever the shard.
    """

    def __init__(
        self,
        name: str,
        store: LocalStore,
        resources: Resources | None = None,
        after: str | None = None,
        **trouble: int,
    ) -> None:
        self.name, self.store, self.resources = name, store, resources or Resources()
        self.after, self.trouble, self.shards = after, trouble, range(4)

    def key(self, shard: int) -> str:
        return f"notes/{self.name}/{shard}"

    def missing(self, store: ObjectStore) -> list[int]:
        return [shard for shard in self.shards if store.head(self.key(shard)) is None]

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        if self.after is not None:
            assert self.store.head(f"notes/{self.after}/{shard}") is not None, f"{self.after} {shard} is not done"
        self._suffer(shard)
        if self.store.head(self.key(shard)) is None:
            self.store.put(self.key(shard), str(os.getpid()).encode())
        if on_progress is not None:
            on_progress(self.name, 1, 1)

    def _suffer(self, shard: int) -> None:
        if self.trouble.get("refuses"):
            raise ModelNotFound("no weights")
        if shard == self.trouble.get("fails_at"):
            raise ArithmeticError(f"shard {shard} does not converge")
        if shard == self.trouble.get("dies_at") and self.store.head("died") is None:
            self.store.put("died", b"")
            os.kill(os.getpid(), signal.SIGKILL)
        if shard == self.trouble.get("kills_at"):
            os.kill(os.getpid(), signal.SIGKILL)

    def writers(self) -> set[str]:
        """The processes that wrote the notes."""
        return {path.read_text() for path in Path(self.store.root, "notes", self.name).iterdir()}
