"""`synth tasks`: every evaluation task, the data it needs, what is missing and where it is had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from flows.cli.store import Endpoint, Json, Region, Root, opened
from flows.terminal import console, say, say_json

if TYPE_CHECKING:
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


def _show(task: TaskDescription) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    say(f"{task.kind}: {task.description}")
    for name, default in task.options.items():
        allowed = ", ".join(map(str, task.allowed.get(name, ())))
        say(f"  {name} = {default}" + (f" (of {allowed})" if allowed else ""))
    say(f"  needs {' and '.join(task.needs)}")
    say(f"  by name: {', '.join(f'{name} (version {version})' for name, version in task.named.items())}")
    table = Table(
        Column("test set", overflow="fold"), Column("in the store, or where it is had", overflow="fold"),
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False,
    )  # fmt: skip
    for each in task.datasets:
        table.add_row(each.name, ", ".join(each.versions) or each.get)
    console().print(table)
