"""`synth audit`: what is in a corpus of reports or in an archive of films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.explained import explained
from flows.terminal import console, say

if TYPE_CHECKING:
    from models.findings.chest_recogniser import SpanRecogniser
    from models.gates.film.vision import VisionJudge
    from tasks.audit.archive import ArchiveAudit

app = typer.Typer(
    name="audit",
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Audit a corpus of reports, an archive of films or a dataset version.",
)

Reports = Annotated[
    Path, typer.Argument(help="A folder or file: text, CSV, Parquet, MIMIC-CXR's folders, OpenI's XML or its .tgz.")
]
SHOWN = 8  # causes for which films cannot be read
Column = Annotated[str | None, typer.Option(help="The column with the text, where it cannot be guessed.")]


@app.command()
def entities(
    reports: Reports,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the bank and its figure.")] = Path("entities"),
    recogniser: Annotated[str, typer.Option(help="rules (offline) or rate-ner.")] = "rules",
    model: Annotated[str | None, typer.Option(help="Folder or hub id of RaTE-NER's weights.")] = None,
    column: Column = None,
    least: Annotated[int, typer.Option(help="Least mentions of an entity that is kept.", min=1)] = 1,
    labels: Annotated[
        str, typer.Option(metavar="NAME", help="Label set of the bank's labels, such as chexpert-14, or a YAML file.")
    ] = "phantom",
) -> None:
    """Build a typed entity bank from reports, and show its long tail.

    \b
    synth audit entities mimic-cxr/files --out bank --labels chexpert-14
    synth run --set plan.bank=bank/bank.csv --set plan.label_set=chexpert-14
    """
    from rich.table import Table

    from tasks.audit.entities import SHOWN, audit_entities

    with explained():
        finder = _recogniser(recogniser, model)
        audit = audit_entities(reports, finder, out, column=column, least=least, labels=labels)
    _tell(audit.left_out)
    table = Table("type", "entities", "mentions", "Gini", "mentioned once", "cover 50 %", "cover 90 %")
    for name, tail in audit.tails.items():
        table.add_row(name, str(tail.entities), str(tail.mentions), f"{tail.gini:.3f}", f"{tail.once:.1%}",
                      str(tail.cover[0.5]), str(tail.cover[0.9]))  # fmt: skip
    screen = console()
    screen.print(table)
    for title, part in (("commonest", audit.bank.entities[:SHOWN]), ("rarest", audit.bank.entities[-SHOWN:])):
        screen.print(f"{title}: " + ", ".join(f"{entity.term} {entity.count}" for entity in part), highlight=False)
    dropped = ", ".join(f"{why} {count}" for why, count in sorted(audit.bank.junk.items())) or "nothing"
    say(f"{audit.bank.reports} reports, {audit.bank.mentions} mentions; dropped: {dropped}")
    for problem in audit.problems:
        say(f"not readable: {problem}", err=True)
    say(f"written to {audit.folder}: bank.csv, counts.csv, tail.png, tail.md")


@app.command()
def pairs(
    reports: Reports,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("pairs.parquet"),
    column: Column = None,
    least: Annotated[float, typer.Option(help="Least reports in which chance alone would show a pair.")] = 10.0,
) -> None:
    """Learn which entities never stand in one report, though chance alone would have put them there.

    \b
    synth audit pairs mimic-cxr/files --out pairs.parquet
    synth run --set plan.bank=bank/bank.csv --set plan.cooccurrence=pairs.parquet
    """
    from tasks.audit.pairs import entity_ids
    from tasks.corpora.reports import Corpus
    from tasks.plan.rules.cooccurrence import learn, save

    with explained():
        corpus = Corpus(reports, column)
        found = learn(entity_ids(corpus.reports(), _recogniser("rules", None)), least)
        save(found, out)
    _tell([*corpus.left_out_lines(), *(f"not readable: {problem}" for problem in corpus.problems)])
    expected = len(found.observed)
    say(f"{expected} pairs expected in {least:g} reports or more, {found.never} of them never seen: {out}")


@app.command()
def duplicates(
    reports: Reports,
    threshold: Annotated[float, typer.Option(help="Similarity of word runs that counts.", min=0.1, max=1.0)] = 0.7,
    column: Column = None,
    show: Annotated[int, typer.Option(help="How many to list.")] = 20,
) -> None:
    """Find near-duplicate reports by MinHash, over a whole corpus."""
    from tasks.audit.duplicates import near_duplicates
    from tasks.corpora.reports import Corpus

    with explained():
        corpus = Corpus(reports, column)
        count, found = near_duplicates(corpus.reports(), threshold)
    _tell([*corpus.left_out_lines(), *(f"not readable: {problem}" for problem in corpus.problems)])
    for pair in sorted(found, key=lambda pair: -pair.similarity)[:show]:
        say(f"{pair.similarity:.2f}  {pair.name} repeats {pair.of}")
    say(f"{len(found)} of {count} reports ({len(found) / count:.1%}) repeat an earlier one")


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        say(line, err=True)


@app.command()
def archive(
    path: Annotated[Path, typer.Argument(help="The archive's folder.")],
    layout: Annotated[
        str,
        typer.Option(
            help="auto, folder, nih, chexpert, mimic, openi, padchest, vindr, rsna, siim, covidx, covid_rural, ms_cxr."
        ),
    ] = "auto",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the index, the report and its figure.")] = Path(
        "archive-audit"
    ),
    good: Annotated[
        Path | None, typer.Option(help="File with ids of good films, one a line: limits from them.")
    ] = None,
    calibrate: Annotated[
        float | None, typer.Option(help="Or the share of the archive to take as good, unseen.", min=0, max=1)
    ] = None,
    false_rejects: Annotated[float, typer.Option(help="Share of good films that may fall.", min=1e-4, max=0.5)] = 0.01,
    judge: Annotated[str | None, typer.Option(help="Folder or hub id of a vision-language model.")] = None,
    rule: Annotated[str, typer.Option(help="When --judge drops a film: all_no, any_no or k_of_n.")] = "all_no",
    k: Annotated[int, typer.Option(help="How many answers of no drop a film under k_of_n.", min=1)] = 2,
    workers: Annotated[int, typer.Option(help="Threads that decode.", min=1)] = 1,
) -> None:
    """Audit every film of an archive: checks, copies, leaks between splits, the long tail; write a cleaned index.

    What is measured of each film is kept in `measurements/` of --out: the same command goes on where it was stopped,
    and one with other limits or another rule measures nothing again.

    \b
    synth audit archive CheXpert-v1.0-small --out chexpert
    synth audit archive hospital --layout folder --good reviewed.txt
    """
    from flows.progress import Progress
    from tasks.audit.archive import Settings, audit_archive
    from tasks.audit.archive_report import write_audit

    with explained(), Progress() as progress:
        settings = Settings(layout, good, calibrate, false_rejects, workers=workers)
        audit = audit_archive(path, out, settings, _recogniser("rules", None), _judge(judge, rule, k), progress.stage)
        write_audit(audit, out)
    _show(audit)
    if audit.measurements.reused:
        say(f"{audit.measurements.reused} films were measured by an earlier run, and not again")
    say(f"written to {out}: index.parquet, report.md, report.png{', entities' if audit.bank else ''}")


def _show(audit: ArchiveAudit) -> None:
    from rich.table import Table

    from tasks.audit.archive_report import causes, dropped, thresholds

    measurements = audit.measurements
    table = Table(f"archive ({audit.archive.layout})", "films")
    table.add_row("listed", str(len(measurements.films) + len(measurements.unreadable)))
    for reason, count in dropped(audit).most_common():
        table.add_row(f"dropped by {reason}", f"{count}")
    table.add_row("kept", f"{audit.kept}  ({audit.kept / len(measurements.films):.1%} of the readable)")
    screen = console()
    screen.print(table)
    screen.print(thresholds(audit), highlight=False)
    for why, count, film in causes(audit)[:SHOWN]:
        say(f"not readable: {count}, such as {film}: {why}")
    for note, count in sorted((+audit.archive.notes).items()):
        say(f"{note}: {count}")
    if audit.left_out.counts:
        say(f"left out: {audit.left_out}")


def _judge(model: str | None, rule: str, k: int) -> VisionJudge | None:
    if model is None:
        return None
    from models.registry import FILM_GATES, UnknownKind, build
    from tasks.errors import AuditError

    try:
        return build(FILM_GATES, "vision_judge", {"model": model, "rule": rule, "k": k})
    except UnknownKind as error:
        raise AuditError(str(error)) from error


def _recogniser(name: str, model: str | None) -> SpanRecogniser:
    from tasks.errors import AuditError

    if name == "rules":
        from models.findings.chest_recogniser import ChestRecogniser

        return ChestRecogniser()
    if name != "rate-ner":
        raise AuditError(f"recogniser is {name!r}: it is 'rules' or 'rate-ner'")
    if model is None:
        raise AuditError("recogniser rate-ner needs --model, such as Angelakeke/RaTE-NER-Deberta or a folder with it")
    from models.findings.rate_ner import RateNer

    return RateNer(model)
