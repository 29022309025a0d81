"""Commands that train, under ``torchrun``: the first process runs them, the others train along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from flows.cli.explained import explained
from flows.cli.running import run_flow
from flows.services.home import PROFILES, prepare

if TYPE_CHECKING:
    from storage.objects import ObjectStore


def run_training_flow(name: str, profile: str, changes: Sequence[str] | None) -> dict[str, Any]:
    """Run a flow that trains as `run_flow` does; a process that only trains along ends here.

    Args:
        name, profile, changes: the flow, and its recipe.
    """
    from tasks.pretrain.torchrun import follow, leading, torchrun_rank

    rank = torchrun_rank()
    if rank is None:
        return run_flow(name, profile, changes)
    if rank.number == 0:
        with leading(rank):
            return run_flow(name, profile, changes)
    with explained():
        follow(rank, lambda: _store(profile, changes))
    raise typer.Exit


@contextmanager
def _store(profile: str, changes: Sequence[str] | None) -> Iterator[ObjectStore]:
    """The store of the same recipe, which the first process has opened."""
    from flows.session import open_storage
    from tasks.recipe.profile import load_recipe

    home = prepare()
    with open_storage(load_recipe(profile, changes or [], PROFILES).storage, home, writes=False) as store:
        yield store
