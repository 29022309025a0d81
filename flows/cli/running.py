"""What the commands that run a flow share: the profile, the run itself, and its result as text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from flows.cli.explained import explained
from flows.cli.failure import keep_off_terminal
from flows.services.home import PROFILES, prepare
from flows.terminal import say

Profile = Annotated[
    str, typer.Option("--profile", "-p", help="Name of a profile (see `synth profiles`) or path of a YAML file.")
]


def run_flow(name: str, profile: str, changes: Sequence[str] | None, of: str | None = None) -> dict[str, Any]:
    """Run a flow in this process, against the served Prefect API if there is one.

    Args:
        name, profile, changes: the flow, and its recipe.
        of: a published version, for a flow that works on any; the rules are then checked against it, by the flow.
    """
    with explained():
        prepare()
        from tasks.check.check import FLOWS, checked_recipe
        from tasks.recipe.profile import dump_recipe, load_recipe

        # What is wrong is reported before Prefect starts; the flow gets the checked recipe.
        recipe = (
            checked_recipe(profile, changes or [], PROFILES, FLOWS[name])
            if of is None
            else load_recipe(profile, changes or [], PROFILES)
        )
    parameters = {"profile": profile, "recipe": dump_recipe(recipe)}
    return call_flow(name, parameters if of is None else {**parameters, "of": of})


def call_flow(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Run a flow with these parameters in this process, against the served Prefect API if there is one."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    with explained():
        home = prepare()
        import importlib

        from flows.services.prefect_server import prefect_api
        from flows.services.sessions import session, sweep

        sweep(home)
        with session(home), prefect_api(home):
            flow = getattr(importlib.import_module(f"flows.{name}"), name)
            keep_off_terminal()
            return flow(**parameters)


def echo(result: dict[str, Any]) -> None:
    """Print a flow's result, one line a value."""
    for key, value in result.items():
        say(f"{key:<10} {value}")
