"""The command `synth ingest`: publish an archive of real films as a dataset version."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.explained import explained
from flows.cli.running import Profile, call_flow, echo

app = typer.Typer(rich_markup_mode=None)


@app.command()
def ingest(
    source: Annotated[
        str, typer.Argument(help="LAYOUT:PATH, such as nih:/data/nih, or the path of the archive's folder.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the dataset; else made of layout and folder.")] = None,
    layout: Annotated[
        str,
        typer.Option(
            help="auto, folder, nih, chexpert, mimic, openi, padchest, vindr, rsna, siim, covidx, covid_rural, ms_cxr."
        ),
    ] = "auto",
    split: Annotated[str | None, typer.Option(help="Take this split of the archive alone, such as train.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="FACT=VALUES", help="Take these films alone: view=PA,AP or sex=F.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="FROM-TO", help="Take these percent of the patients alone, such as 0-80.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="A cleaned index (Parquet or CSV), as `synth audit archive` writes it.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of a film in pixels.", min=64, max=4096)] = 512,
    text: Annotated[
        str, typer.Option(help="report, or labels: text is made from labels where a film has no report.")
    ] = "report",
    licence: Annotated[str | None, typer.Option(help="SPDX expression, where that of the layout is wrong.")] = None,
    workers: Annotated[int, typer.Option(help="Threads that decode.", min=1, max=256)] = 2,
    profile: Profile = "local",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change a field of the profile: storage.root=./store."),
    ] = None,
) -> None:
    """Publish an archive of real films as a dataset version, to train and to test on.

    Any archive that `synth audit archive` reads, DICOM included. Films become squares of --size pixels with the whole
    film in them; labels are kept as 1 (present), 0 (absent), -1 (uncertain) and blank; patient, study, view, sex, age,
    split, boxes and masks stand in the rows. Of a report FINDINGS and IMPRESSION are taken. Licence and use agreement
    go into manifest and card.

    A film that cannot be read is listed in `rejects/` with the reason. The same command goes on where it was stopped,
    and finds what it has published; other films, another size or other texts make another version.

    Films of one patient must not be in training and test: where an archive has no splits, --part parts its patients.

    \b
    synth ingest nih:/data/nih --name nih --split train --text labels
    synth ingest nih:/data/nih --name nih-test --split test
    synth ingest /data/mimic-cxr-jpg --name mimic --where view=PA,AP --keep audit/index.parquet
    synth ingest folder:hospital --name ours --part 0-80 --licence CC0-1.0
    synth run --set sources.real=nih@latest --set sources.test=nih-test@latest
    """
    with explained():
        from flows.ingest import IngestParameters, check_archive, section_of

        fields = {
            "source": source, "name": name, "layout": layout, "split": split, "where": tuple(where or ()),
            "part": part, "keep": keep, "size": size, "text": text, "licence": licence, "workers": workers,
            "profile": profile, "overrides": tuple(changes or ()),
        }  # fmt: skip
        check_archive(section_of(IngestParameters(**fields)))  # what is wrong is reported before Prefect starts
    echo(call_flow("ingest", fields))
