"""The command line: `synth`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flows.cli import (
    audit,
    check,
    compare,
    curate,
    evaluate,
    failure,
    fidelity,
    ingest,
    plan,
    privacy,
    retry,
    run,
    score,
    serve,
    store,
    tasks,
)


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

app.add_typer(run.app)
app.add_typer(evaluate.app)
app.add_typer(serve.app)
app.add_typer(store.app)
app.add_typer(check.app)
app.add_typer(plan.app)
app.add_typer(ingest.app)
app.add_typer(score.app)
app.add_typer(tasks.app)
app.add_typer(compare.app)
app.add_typer(curate.app)
app.add_typer(retry.app)
app.add_typer(privacy.app)
audit.app.command()(fidelity.fidelity)
app.add_typer(audit.app)


def _show_version(asked: bool) -> None:
    """Print the version of the package and end."""
    if not asked:
        return
    try:
        version = importlib.metadata.version("synthcxr")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        version = "of a checkout that is not installed"
    typer.echo(f"synthcxr {version}")
    raise typer.Exit


@app.callback()
def every_command(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of an error. SYNTHCXR_DEBUG=1 does the same.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of every command; they stand before its name."""
    del version  # its callback has answered it
    if debug:
        failure.show_traces()
