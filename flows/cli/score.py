"""`synth score`: score anybody's predictions against anybody's labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.explained import explained
from flows.cli.store import Json
from flows.terminal import console, say, say_json

if TYPE_CHECKING:
    from rich.table import Table

    from tasks.evaluate.score_files.report import Estimate, FileScores, Interval

app = typer.Typer(rich_markup_mode=None)
_ENDINGS = (".json", ".csv")
_COUNTS_AS = {"ignore": "left out", "positive": "taken as 1", "negative": "taken as 0"}


@app.command()
def score(
    predictions: Annotated[Path, typer.Option(help="CSV or Parquet: a column per label, or film, label, score.")],
    labels: Annotated[Path, typer.Option(help="CSV or Parquet: a column per label, or film, label, value.")],
    film: Annotated[str | None, typer.Option(help="The column with the film's id, where it has an odd name.")] = None,
    patients: Annotated[str | None, typer.Option(help="The column with the patient's id: what is resampled.")] = None,
    prefix: Annotated[str, typer.Option(help="What columns of predictions begin with, such as prob_.")] = "",
    listed: Annotated[
        str | None, typer.Option(help="The column of labels that lists what is present, such as Edema|Mass.")
    ] = None,
    uncertain: Annotated[
        Literal["refuse", "ignore", "positive", "negative"],
        typer.Option(help="How labels that are -1 or blank count."),
    ] = "refuse",
    missing_films: Annotated[
        bool, typer.Option("--allow-missing-films", help="Leave out films that only one file has.")
    ] = False,
    missing_labels: Annotated[
        bool, typer.Option("--allow-missing-labels", help="Leave out labels and other columns that only one file has.")
    ] = False,
    validation: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="PREDICTIONS LABELS", help="Files of other films that give the thresholds of F1."),
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamples of patients, and of films.", min=10, max=100_000)] = 1000,
    confidence: Annotated[float, typer.Option(help="Of the intervals.", min=0.5, max=0.999)] = 0.95,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .json or .csv file with all figures.")] = None,
    as_json: Json = False,
) -> None:
    """Score predictions of any model: AUROC, AUPRC, F1 and calibration, per label and macro, with intervals.

    Films are joined by id. Films or labels in one file only, films twice, scores that are not finite and uncertain
    labels are refused by name. With --patients intervals resample patients with all their films, and those over films
    stand beside them. F1 is at thresholds from --validation; F1 oracle takes the best threshold on the scored films
    themselves, an upper bound. ECE (15 bins) is there where every score of the file lies within 0 and 1. A label that
    all films show, or none, is named and left out of the mean.

    \b
    synth score --predictions mine.csv --labels test.csv --patients subject_id
    synth score --predictions preds.csv --prefix prob_ --labels Data_Entry_2017_v2020.csv.gz \\
      --listed 'Finding Labels' --patients 'Patient ID' --allow-missing-films
    synth score --predictions mine.parquet --labels test.csv --uncertain ignore --out scores.json
    """
    from flows.progress import Progress
    from tasks.evaluate.score_files.intervals import Bootstrap
    from tasks.evaluate.score_files.join import Allowances
    from tasks.evaluate.score_files.read import Columns
    from tasks.evaluate.score_files.report import to_csv
    from tasks.evaluate.score_files.score import Pair, score_files

    if out is not None and out.suffix.lower() not in _ENDINGS:
        raise typer.BadParameter(f"{out} ends neither in .json nor in .csv", param_hint="--out")
    with explained(), Progress() as progress:
        found = score_files(
            Pair(predictions, labels),
            Columns(film, patients, prefix, listed),
            Allowances(missing_films, missing_labels, uncertain),
            Bootstrap(bootstrap, confidence),
            Pair(*validation) if validation else None,
            progress.stage,
        )
        if out is not None:
            text = found.model_dump_json(indent=1) if out.suffix.lower() == ".json" else to_csv(found)
            out.write_text(text, encoding="utf-8")
    if as_json:
        say_json(found.model_dump_json(indent=1))
        return
    _show(found)
    if out is not None:
        say(f"written to {out}")


def _show(found: FileScores) -> None:
    console().print(_table(found))
    if found.unit == "patient":
        both = (found.macro.auroc, found.macro.auprc)
        auroc, auprc = (_spread(one.value, one.by_film) for one in both)
        say(f"with films resampled instead, which is too narrow: macro AUROC {auroc}, AUPRC {auprc}")
    for line in found.not_joined:
        say(f"left out: {line}")
    for name, count in found.uncertain_labels.items():
        say(f"{name}: {count} labels -1 or blank, {_COUNTS_AS[found.uncertain]}")
    if found.left_out:
        say(f"left out of the mean, as all films show it or none: {', '.join(found.left_out)}")


def _table(found: FileScores) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    over = f"{found.films} films" + (f" of {found.patients} patients" if found.patients is not None else "")
    title = f"{over}, {found.confidence:.0%} intervals by {found.unit}"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False, title=title)
    table.add_column("label", no_wrap=True)
    table.add_column("pos.", justify="right", no_wrap=True)
    macro = found.macro
    rows = [("macro", None, macro), *((one.label, one.positives, one) for one in found.per_label)]
    columns = {
        "AUROC": [_estimate(one.auroc) for *_, one in rows],
        "AUPRC": [_estimate(one.auprc) for *_, one in rows],
        "F1": [_figure(one.f1) for *_, one in rows],
        "F1\noracle": [_figure(one.f1_oracle) for *_, one in rows],
        "ECE": [_figure(one.ece) for *_, one in rows],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    for name in shown:
        table.add_column(name, no_wrap=True)
    for at, (name, positives, _) in enumerate(rows):
        table.add_row(name, _count(positives), *(cells[at] for cells in shown.values()))
    return table


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _estimate(estimate: Estimate) -> str:
    found = estimate.by_patient or estimate.by_film
    return _spread(estimate.value, found)


def _spread(value: float, found: Interval) -> str:
    return f"{value:.3f} {found.low:.3f}-{found.high:.3f}"
