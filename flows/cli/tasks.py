"""`synth tasks`: every evaluation task, the data it needs, what is missing and where it is had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from flows.cli.store import Endpoint, Json, Region, Root, opened
from flows.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.evaluate.describe import TaskDescription

app = typer.Typer(rich_markup_mode=None)


@app.command()
def tasks(as_json: Json = False, root: Root = "managed", endpoint: Endpoint = None, region: Region = None) -> None:
    """List every evaluation task: options with their defaults, the data it needs, what is missing and where it is had.

    The store is asked which public test sets it has as ingested versions; nothing is downloaded.

    \b
    synth tasks --root ./store
    synth evaluate 3fa94c01b2 --task zero-shot-label-pair --on nih-test@latest
    """
    from pydantic_core import to_json

    from tasks.evaluate.describe import describe_tasks

    with opened(root, endpoint, region) as store:
        found = describe_tasks(store)
    if as_json:
        say_json(to_json(found, indent=1).decode())
        return
    for task in found:
        _show(task)
    _show_test_sets(found)


def _show(task: TaskDescription) -> None:
    say(f"{task.kind}: {task.description}")
    for name, default in task.options.items():
        allowed = ", ".join(map(str, task.allowed.get(name, ())))
        say(f"  {name} = {default}" + (f" (of {allowed})" if allowed else ""))
    say(f"  needs {' and '.join(task.needs)}")
    for version in dict.fromkeys(task.named.values()):
        names = ", ".join(name for name, other in task.named.items() if other == version)
        say(f"  by name: {names} (version {version})")


def _show_test_sets(tasks: Sequence[TaskDescription]) -> None:
    """Every test set once, with the tasks that it serves; addresses stay whole, so that a terminal can open them."""
    say("test sets")
    for each in {each.name: each for task in tasks for each in task.datasets}.values():
        serves = [task.kind for task in tasks if any(other.name == each.name for other in task.datasets)]
        say(f"  {each.name}, for {', '.join(serves)}")
        say(f"    {', '.join(each.versions) or each.get}")
