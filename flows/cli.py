"""The command line: `synth`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

from typing import Annotated

import typer

from flows import audit, check, curation, fidelity, privacy, store
from flows.explained import explained
from flows.home import PROFILES, prepare
from flows.running import Profile, echo, run_flow

app = typer.Typer(
    name="synth",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A factory for synthetic radiology report and chest X-ray pairs, and the proof of what they are worth.",
)

app.add_typer(store.app)
app.add_typer(check.app)
app.add_typer(curation.app)
app.add_typer(privacy.app)
audit.app.command()(fidelity.fidelity)
app.add_typer(audit.app)

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

    summary = Summary.model_validate(run_flow("synth", profile, changes))
    Console().print(summary.tables())


@app.command()
def generate(profile: Profile = "local", changes: Changes = None) -> None:
    """Make the dataset version: plan, reports, images, gates, publish."""
    echo(run_flow("generate", profile, changes))


@app.command()
def pretrain(profile: Profile = "local", changes: Changes = None) -> None:
    """Train the arms real, synthetic and mixed, and their controls."""
    echo(run_flow("pretrain", profile, changes))


@app.command()
def evaluate(profile: Profile = "local", changes: Changes = None) -> None:
    """Score every trained arm on hospital B by zero-shot classification."""
    echo(run_flow("evaluate", profile, changes))


@app.command()
def serve(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect server and UI.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow server and UI.")] = 5000,
) -> None:
    """Start the object store, the Prefect and MLflow servers and the workers, and deploy every flow."""
    from flows import serve as services

    home = prepare()
    with explained():
        services.serve(home, prefect_port=prefect_port, mlflow_port=mlflow_port, say=typer.echo)
    typer.echo("try             prefect deployment run synth/local --watch")


@app.command()
def stop() -> None:
    """End exactly what `synth serve` started."""
    from flows import serve as services

    home = prepare()
    with explained():
        services.stop(home, say=typer.echo)


@app.command()
def profiles() -> None:
    """List the profiles that come with the project, with their first comment line."""
    for path in sorted(PROFILES.glob("*.yaml")):
        first = path.read_text().splitlines()[0]
        typer.echo(f"{path.stem:<10} {first.lstrip('# ')}")
