"""The command line: `synth`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from flows import audit, curation, privacy, store
from flows.home import PROFILES, prepare

app = typer.Typer(
    name="synth",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A factory for synthetic radiology report and chest X-ray pairs, and the proof of what they are worth.",
)

app.add_typer(store.app)
app.add_typer(curation.app)
app.add_typer(privacy.app)
app.add_typer(audit.app)

Profile = Annotated[
    str, typer.Option("--profile", "-p", help="Name of a profile (see `synth profiles`) or path of a YAML file.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Change one field, such as pairs=64 or storage.root=./store."
    ),
]


@app.command()
def run(profile: Profile = "local", changes: Changes = None) -> None:
    """Run the whole factory: generate, curate, pretrain, evaluate, and print what the data was worth."""
    from rich.console import Console

    from flows.summary import Summary

    summary = Summary.model_validate(_run_flow("synth", profile, changes))
    Console().print(summary.tables())


@app.command()
def generate(profile: Profile = "local", changes: Changes = None) -> None:
    """Make the dataset version: plan, reports, images, gates, publish."""
    _echo(_run_flow("generate", profile, changes))


@app.command()
def pretrain(profile: Profile = "local", changes: Changes = None) -> None:
    """Train the arms real, synthetic and mixed, and their controls."""
    _echo(_run_flow("pretrain", profile, changes))


@app.command()
def evaluate(profile: Profile = "local", changes: Changes = None) -> None:
    """Score every trained arm on hospital B by zero-shot classification."""
    _echo(_run_flow("evaluate", profile, changes))


@app.command()
def serve(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect server and UI.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow server and UI.")] = 5000,
) -> None:
    """Start the object store, the Prefect and MLflow servers and the workers, and deploy every flow."""
    from flows import serve as services

    home = prepare()
    _explained(lambda: services.serve(home, prefect_port=prefect_port, mlflow_port=mlflow_port, say=typer.echo))
    typer.echo("try             prefect deployment run synth/local --watch")


@app.command()
def stop() -> None:
    """End exactly what `synth serve` started."""
    from flows import serve as services

    home = prepare()
    _explained(lambda: services.stop(home, say=typer.echo))


@app.command()
def profiles() -> None:
    """List the profiles that come with the project, with their first comment line."""
    for path in sorted(PROFILES.glob("*.yaml")):
        first = path.read_text().splitlines()[0]
        typer.echo(f"{path.stem:<10} {first.lstrip('# ')}")


def _run_flow(name: str, profile: str, changes: list[str] | None) -> dict[str, Any]:
    """Run a flow in this process, against the served Prefect API if there is one."""
    home = prepare()
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    from flows.services import Services

    server = Services.load(home).get("prefect")
    if server and server.url:
        os.environ.setdefault("PREFECT_API_URL", f"{server.url}/api")

    def call() -> dict[str, Any]:
        import importlib

        from flows.context import recipe_of

        recipe_of(profile, None, None, None, None, None, changes or [])  # a typo is told before Prefect starts
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        return flow(profile=profile, overrides=changes or [])

    return _explained(call)


def _explained(call: Callable[[], Any]) -> Any:
    from flows.explained import explained

    with explained():
        return call()


def _echo(result: dict[str, Any]) -> None:
    for key, value in result.items():
        typer.echo(f"{key:<10} {value}")
