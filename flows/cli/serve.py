"""The commands `synth serve` and `synth stop`: servers and workers on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.explained import explained
from flows.services.home import prepare
from flows.terminal import say

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    prefect_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect server and UI.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the MLflow server and UI.")] = 5000,
) -> None:
    """Start the object store, the Prefect and MLflow servers and the workers, and deploy every flow."""
    if prefect_port == mlflow_port:
        raise typer.BadParameter(f"--prefect-port and --mlflow-port are both {mlflow_port}: name two ports")
    from flows.services import serve as services

    with explained():
        services.serve(prepare(), prefect_port=prefect_port, mlflow_port=mlflow_port, say=say)
    typer.echo("try             prefect deployment run synth/local --watch")


@app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="End it under runs that still use it, too.")] = False,
) -> None:
    """End exactly what `synth serve` started, and what runs left behind that were killed."""
    from flows.services import serve as services

    with explained():
        services.stop(prepare(room=False), force=force, say=say)
