"""The command line: `synth`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flows.cli import audit, check, curate, failure, fidelity, plan, privacy, store
from flows.cli.explained import explained
from flows.cli.running import Profile, echo, run_flow
from flows.cli.terminal import console, say
from flows.services.home import PROFILES, prepare


class Commands(TyperGroup):
    """Whatever ends a command, it is said in one line; a Ctrl-C ends it within seconds."""

    def main(
        self, args: Sequence[str] | None = None, *others: Any, standalone_mode: bool = True, **details: Any
    ) -> Any:
        """Run the command that the line names, and end the process with its exit code."""
        words = sys.argv[1:] if args is None else list(args)
        if not standalone_mode:
            return super().main(words, *others, standalone_mode=False, **details)
        sys.exit(
            failure.run(words, lambda: super(Commands, self).main(words, *others, standalone_mode=False, **details))
        )

    def invoke(self, ctx: Any) -> Any:  # a `typer.Context`; typer and click differ on its class
        """Run the command that the line names."""
        try:
            from flows.cli.interrupts import interruptible

            with interruptible():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("stopped before anything was begun", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Commands,
    name="synth",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A factory for synthetic radiology report and chest X-ray pairs, and the proof of what they are worth.",
)

app.add_typer(store.app)
app.add_typer(check.app)
app.add_typer(plan.app)
app.add_typer(curate.app)
app.add_typer(privacy.app)
audit.app.command()(fidelity.fidelity)
app.add_typer(audit.app)


@app.callback()
def every_command(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of an error. SYNTHCXR_DEBUG=1 does the same.")
    ] = False,
) -> None:
    """Options of every command; they stand before its name."""
    if debug:
        failure.show_traces()


Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="Change one field, such as pairs=64 or storage.root=./store."
    ),
]


@app.command()
def run(profile: Profile = "local", changes: Changes = None) -> None:
    """Run the whole factory: generate, curate, pretrain, evaluate, and print what the data was worth."""
    from flows.summary import Summary

    summary = Summary.model_validate(run_flow("synth", profile, changes))
    console().print(summary.tables())


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


@app.command()
def profiles() -> None:
    """List the profiles that come with the project, with their first comment line."""
    for path in sorted(PROFILES.glob("*.yaml")):
        first = path.read_text().splitlines()[0]
        say(f"{path.stem:<10} {first.lstrip('# ')}")
