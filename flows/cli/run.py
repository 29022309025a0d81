"""The commands that run a flow: `synth run`, `generate` and `pretrain`."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.ranks import run_training_flow
from flows.cli.running import Profile, echo, run_flow
from flows.terminal import console

app = typer.Typer(rich_markup_mode=None)

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Change one field, such as pairs=64 or storage.root=./store."
    ),
]


@app.command()
def run(profile: Profile = "local", changes: Changes = None) -> None:
    """Run the whole factory: generate, curate, pretrain, evaluate, and print what the data was worth."""
    from tasks.publish.summary import Summary

    summary = Summary.model_validate(run_training_flow("synth", profile, changes))
    console().print(summary.tables())


@app.command()
def generate(profile: Profile = "local", changes: Changes = None) -> None:
    """Make the dataset version: plan, reports, images, gates, publish."""
    echo(run_flow("generate", profile, changes))


@app.command()
def pretrain(profile: Profile = "local", changes: Changes = None) -> None:
    """Train the arms real, synthetic and mixed, and their controls."""
    echo(run_training_flow("pretrain", profile, changes))
