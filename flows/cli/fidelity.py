"""`synth audit fidelity`: how near the films of a dataset version are to real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.store import Endpoint, Json, Region, Root, VersionName, opened
from flows.terminal import console, say, say_json

if TYPE_CHECKING:
    from tasks.fidelity.report import FidelityReport


def fidelity(
    dataset: VersionName,
    real: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REAL",
            help="hospital_a, or an archive: FOLDER, or FOLDER/LAYOUT such as cxr/nih. Repeat it for another. "
            "[default: hospital_a]",
        ),
    ] = None,
    films: Annotated[int, typer.Option(help="Most films of the version; the first are taken.", min=7)] = 1000,
    encoder: Annotated[
        str, typer.Option(help="film (ours), or a folder or hub id such as microsoft/rad-dino.")
    ] = "film",
    seeds: Annotated[int, typer.Option(help="Prompts to draw again with other seeds, for MS-SSIM.", min=0)] = 32,
    labels: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Label set whose findings are compared. [default: the version's]"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report and its figure.")] = Path("fidelity"),
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Measure how near a published version's films are to real ones, overall and by finding.

    FID, KID, precision, recall, density, coverage, and MS-SSIM between seeds, under a named encoder. Beside every
    figure stands its floor: what two halves of the real films have between them in as many films. Only the distance
    from the floor means anything.

    \b
    synth audit fidelity phantom-cxr
    synth audit fidelity phantom-cxr@champion --real hospital_a --real ChestX-ray14/nih --films 2000
    synth audit fidelity roentgen@latest --real mimic-cxr --encoder microsoft/rad-dino --seeds 0
    """
    from flows.progress import Progress
    from storage.tags import resolve
    from storage.versions import Version
    from tasks.fidelity.page import as_json as to_json
    from tasks.fidelity.page import write
    from tasks.fidelity.report import FidelityOptions, audit_fidelity

    with opened(root, endpoint, region) as store:
        with Progress() as progress:
            options = FidelityOptions(tuple(real or ("hospital_a",)), encoder, films, seeds, labels)
            found = audit_fidelity(Version.open(store, resolve(store, dataset)), options, progress.stage)
        write(found, out)
    if as_json:
        say_json(to_json(found))
        return
    _show(found)
    say(f"written to {out}: fidelity.json, fidelity.md, fidelity.png")


def _show(found: FidelityReport) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from tasks.fidelity.page import COLUMNS, READING, cells, notes

    screen = console()
    for comparison in found.comparisons:
        table = Table(
            *COLUMNS,
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            title=f"{found.dataset} against {comparison.reference}, encoder {found.encoder}",
        )
        table.columns[0].min_width = 13  # a finding's longest word
        for row in comparison.rows:
            table.add_row(*("\n".join(cell) for cell in cells(row)))
        screen.print(table)
        for note in notes(found, comparison):
            screen.print(note, highlight=False, markup=False)
    screen.print(READING, highlight=False)
