"""`synth compare`: two runs of one store beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.store import Endpoint, Json, Region, Root, opened
from flows.terminal import console, say, say_json

if TYPE_CHECKING:
    from tasks.evaluate.compare_runs import RunComparison

app = typer.Typer(rich_markup_mode=None)


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, as `synth pretrain` tells it.")],
    after: Annotated[str, typer.Argument(metavar="RUN", help="The run that is compared with it.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .html page, a .png of the losses, or .json with all figures.")
    ] = None,
    bootstrap: Annotated[
        int | None, typer.Option(help="Resamples of an interval. [default: as the runs were scored]", min=10)
    ] = None,
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Show how two runs differ: settings, arms and data, losses, and scores with paired intervals.

    Scores are computed anew from the predictions that both runs kept: per task and arm the difference on the same
    resamples of the same films, by patient where patients are known. Where the films differ, it says so. No model is
    loaded.

    \b
    synth compare phantom-cxr-v-7b10dede75-0a1b2c3d phantom-cxr-v-91c0a44b02-4e5f6071
    synth compare RUN RUN --root ./store --out comparison.html
    """
    from tasks.evaluate import compare_page
    from tasks.evaluate.compare_runs import compare_runs

    if out is not None and out.suffix.lower() not in compare_page.ENDINGS:
        raise typer.BadParameter(f"{out} ends in none of {', '.join(compare_page.ENDINGS)}", param_hint="--out")
    with opened(root, endpoint, region) as store:
        found = compare_runs(store, before, after, bootstrap)
        if out is not None:
            compare_page.write(found, out)
    if as_json:
        say_json(compare_page.as_json(found).decode())
        return
    _show(found)
    if out is not None:
        say(f"written to {out}")


def _show(found: RunComparison) -> None:
    from rich.table import Column, Table

    from tasks.evaluate.compare_page import notes, sections

    screen = console()
    for name, header, rows in sections(found):
        columns = (Column(title, overflow="fold") for title in header)
        table = Table(*columns, title=name, title_justify="left")
        for row in rows:
            table.add_row(*row)
        screen.print(table)
    for note in notes(found):
        say(note)
