"""`synth evaluate`: the checkpoints of a run, or any one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.explained import explained
from flows.cli.running import Profile, echo, run_flow
from flows.cli.store import Json
from flows.terminal import console, say, say_json
from tasks.evaluate.subgroup_view import SUBGROUP_COLUMNS, subgroup_notes, subgroup_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from tasks.evaluate.one_model import ModelScores
    from tasks.evaluate.scores import Figure, LabelScore, Scores, ScoreTable

_COLUMNS = {"AUPRC": "AUPRC", "F1": "F1", "F1*": "F1 (oracle)", "ECE": "ECE"}
"""Metrics that have a column beside the table's own."""

app = typer.Typer(rich_markup_mode=None)


@app.command()
def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="Fingerprint of a trial, a .safetensors file of ours, a folder or hub id."
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK", help="With MODEL: name of a task (see `synth tasks`), a kind, or a YAML file."),
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="With MODEL: test set in place of the profile's.")
    ] = None,
    as_json: Json = False,
    profile: Profile = "local",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change one field, such as storage.root=./store."),
    ] = None,
) -> None:
    """Score every trained arm of a run on the test set; or, with MODEL, that model alone.

    MODEL is the fingerprint of a trial in the store or its first digits, a .safetensors file that this project wrote,
    a folder of open_clip (open_clip_config.json, open_clip_model.safetensors) or of a CLIP of transformers, hf-hub:
    and an id whose files are on this machine, or open_clip's NAME/TAG. Its predictions stay in the store, and nothing
    is predicted twice. A task that fails is told in one line, the others are shown, and the exit code is 1.

    \b
    synth evaluate -p local
    synth evaluate 3fa94c01b2 --task zero-shot-label-pair --task grounding-pointing
    synth evaluate ./models/mine --on nih@test --task ./my-task.yaml --json
    synth evaluate hf-hub:openai/clip-vit-base-patch32 --task retrieval
    """
    if model is None:
        for name, given in (("--task", task), ("--on", on), ("--json", as_json)):
            if given:
                raise typer.BadParameter(f"{name} belongs to the evaluation of one MODEL: name one", param_hint=name)
        echo(run_flow("evaluate", profile, changes))
        return
    with explained():
        from flows.evaluate_model import score_model
        from flows.services.home import PROFILES
        from tasks.recipe.profile import load_recipe

        found = score_model(load_recipe(profile, changes or [], PROFILES), model, task or [], on)
    if as_json:
        say_json(found.model_dump_json(indent=1))
    else:
        _show(found)
    for line in dict.fromkeys(found.failures.values()):
        names = ", ".join(name for name, other in found.failures.items() if other == line)
        say(f"not scored: {names}: {line}", err=True)
    if found.failures:
        raise typer.Exit(1)


def _show(found: ModelScores) -> None:
    say(f"{found.model} ({found.kind} {found.identity[:12]})")
    for name, table in found.tables.items():
        console().print(_table(name, table))
        for line in _notes(table):
            say(line)
        if rows := subgroup_rows(table):
            console().print(_subgroups(rows))
            for line in subgroup_notes(table):
                say(line)


def _table(name: str, table: ScoreTable) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    version = f" version {table.task_version}" if table.task_version else ""
    over = f"{table.scores[0].films} films" + (f" of {table.patients} patients" if table.patients else "")
    title = f"{name}{version} [{table.task_hash}] on {table.dataset}: {over}, {table.confidence:.0%} by {table.unit}"
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False, title=title)
    shown.add_column("label", no_wrap=True)
    shown.add_column("pos.", justify="right", no_wrap=True, min_width=4)
    shown.add_column(table.metric, no_wrap=True, min_width=17)
    first = table.scores[0]
    beside = {head: name for head, name in _COLUMNS.items() if _beside(first, name)}
    for head in beside:
        shown.add_column(head, no_wrap=True, min_width=5)
    for item in table.scores:
        macro = f"macro ({item.arm})" if len(table.scores) > 1 else "macro"
        own = f"{item.macro:.3f} {item.low:.3f}-{item.high:.3f}"
        shown.add_row(macro, "", own, *(_beside(item, name) for name in beside.values()))
        for label, score in item.per_label.items():
            shown.add_row(
                label, str(score.positives), _figure(score), *(_beside(score, one) for one in beside.values())
            )
    return shown


def _subgroups(rows: Sequence[tuple[str, ...]]) -> Table:
    """The groups of the films, without the arm: there is one model."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(*SUBGROUP_COLUMNS[1:], box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for row in rows:
        shown.add_row(*row[1:])
    return shown


def _beside(scores: Scores | LabelScore, name: str) -> str:
    """A metric beside the table's own, without its interval, which a line would not hold; blank if there is none."""
    figure = scores.auprc if name == "AUPRC" else scores.beside.get(name)
    return "" if figure is None else f"{figure.value:.3f}"


def _notes(table: ScoreTable) -> Iterator[str]:
    first = table.scores[0]
    for label, count in table.uncertain_labels.items():
        yield f"{label}: {count} uncertain labels ({table.uncertain})"
    if first.left_out:
        yield f"left out of the mean, as these films do not allow a score: {', '.join(first.left_out)}"
    for metric, figure in {"AUPRC": first.auprc, **first.beside}.items():
        if figure is not None:
            yield f"macro {metric}: {_figure(figure)}"
    if any(name.endswith("(oracle)") for name in first.beside):
        yield "oracle (*): chosen on the test films themselves, an upper bound"
    if table.validation:
        yield f"chosen on validation films: {table.validation}"
    if first.without_threshold:
        yield f"no threshold, as all validation films show it or none: {', '.join(first.without_threshold)}"
    if table.unvalidated:
        yield f"nothing was chosen on validation films: {table.unvalidated}"
    if table.probability:
        yield f"ECE is of this probability: {table.probability}"


def _figure(figure: Figure) -> str:
    return f"{figure.value:.3f} {figure.low:.3f}-{figure.high:.3f}"
