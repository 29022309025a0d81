"""The commands on profiles: `synth check`, whether one can be run, and `synth profiles`, which there are."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.explained import explained
from flows.cli.failure import MENDED
from flows.cli.running import Profile
from flows.services.home import PROFILES, prepare
from flows.terminal import say
from storage.addresses import redact

app = typer.Typer(rich_markup_mode=None)


@app.command()
def check(
    profile: Profile = "local",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change one field, such as pairs=64."),
    ] = None,
) -> None:
    """Say everything that is wrong with a profile before any work: values, options, gates, arms, files and weights.

    No weights are loaded, nothing is downloaded or written, no server is asked. Every flow begins with the same
    look at what it needs. Exit code 2 where something is wrong; all of it is listed at once.

    \b
    synth check --profile full
    synth check --set images.generator.options.steps=30 --set pairs=4096
    """
    prepare()
    with explained():
        from tasks.check.check import look_at
        from tasks.check.summary import summary
        from tasks.recipe.errors import RecipeError

        draft, report = look_at(profile, changes or [], PROFILES)
        for note in report.notes:
            say(f"note: {note}", err=True)
        if report.problems or draft.recipe is None:
            say(f"error: {redact(str(RecipeError(draft.where, report.problems)))}", err=True)
            raise typer.Exit(MENDED)
        say(summary(draft.recipe))


@app.command()
def profiles() -> None:
    """List the profiles that come with the project, with their first comment line."""
    for path in sorted(PROFILES.glob("*.yaml")):
        first = path.read_text().splitlines()[0]
        say(f"{path.stem:<10} {first.lstrip('# ')}")
