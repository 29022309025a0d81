"""The command line changes only on purpose: every command, argument and option stands in ``surface.txt``.

After a change that is meant, `python tests/flows/cli/test_surface.py` writes the file again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperArgument, TyperGroup

from flows.cli.app import app

SURFACE = Path(__file__).with_name("surface.txt")


def lines_of(command: Any, name: str) -> Iterator[str]:
    """A command's line, a line for each of its parameters, and the same for its subcommands.

    Typer keeps the classes of its parameters to itself, so `command` is any object with their attributes.
    """
    yield name
    for line in sorted(map(_described, command.params)):
        yield f"{name} {line}"
    if isinstance(command, TyperGroup):
        for sub in sorted(command.commands):
            yield from lines_of(command.commands[sub], f"{name} {sub}")


def _described(parameter: Any) -> str:
    if isinstance(parameter, TyperArgument):
        spelt = f"<{parameter.name}>"
    else:
        spelt = ", ".join((*parameter.opts, *parameter.secondary_opts))
    many = " ..." if parameter.multiple or parameter.nargs != 1 else ""
    return f"{spelt}{many}" if parameter.required else f"{spelt}{many} = {parameter.default!r}"


def surface() -> str:
    """The whole command line as text."""
    return "\n".join(lines_of(typer.main.get_command(app), "synth")) + "\n"


def test_the_command_line_is_the_one_that_was_agreed() -> None:
    now, agreed = set(surface().splitlines()), set(SURFACE.read_text().splitlines())
    assert {"new": sorted(now - agreed), "gone": sorted(agreed - now)} == {"new": [], "gone": []}, (
        "where this is meant: python tests/flows/cli/test_surface.py"
    )


if __name__ == "__main__":
    SURFACE.write_text(surface())
