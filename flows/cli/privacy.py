"""The commands `synth privacy index` and `synth privacy audit`: copies of the generator's training films."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.explained import explained
from flows.cli.running import Profile
from flows.services.home import PROFILES, prepare
from flows.terminal import console, say

if TYPE_CHECKING:
    from rich.table import Table

    from tasks.privacy.canaries import CanaryFigures

app = typer.Typer(
    name="privacy",
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Find copies of the films that the image generator was trained on, and measure how well that works.",
)

Changes = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change one field of the profile.")
]
Kind = Annotated[str, typer.Option("--encoder", help="Kind of film encoder; the gate must name the same.")]
File = Annotated[
    Path,
    typer.Option("--index", "-i", "--memory", "-m", help="The file of the index. Guard it as the archive itself."),
]


@app.command()
@app.command("remember", hidden=True)  # its name until 0.2
def index(
    archive: Annotated[str, typer.Option(help="What the generator was trained on.")] = "phantom:a/7/20000",
    unseen: Annotated[
        str, typer.Option(help="400 films or more of the same kind that it was not trained on.")
    ] = "phantom:a/7/20000-20800",
    file: File = Path("memory.safetensors"),
    canaries: Annotated[int, typer.Option(help="Films to plant copies of.", min=10)] = 60,
    false_alarms: Annotated[float, typer.Option(help="Share of unseen films that may be flagged.")] = 0.01,
    workers: Annotated[int, typer.Option(help="Processes that render a phantom archive.")] = 1,
    encoder: Kind = "classifier-features",
    profile: Profile = "local",
    changes: Changes = None,
) -> None:
    """Index a training archive, and measure on planted copies how well copies of it are found.

    Half of the unseen films sets the limit, the other half measures it; then exact and near copies of archive
    films are planted, each under several seeds. The figures are kept with the index and go into the card of every
    dataset whose recipe has the gate. An archive is NAME@VERSION in the profile's store, or a phantom hospital's.

    \b
    synth privacy index --index a.safetensors
    synth privacy index --archive mimic@v1 --unseen mimic-held-out@v1 --index mimic.safetensors

    Then add to the profile's image_gates, last:
    - {kind: memorisation, threshold: 0.5, options: {index: a.safetensors}}
    """

    from flows.session import open_storage
    from models.gates.training_index import save_index
    from models.registry import ENCODERS, build
    from tasks.privacy.archive import archive_films
    from tasks.privacy.index import index_and_measure
    from tasks.recipe.profile import load_recipe

    with explained():
        recipe, home = load_recipe(profile, changes or [], PROFILES), prepare()
        with open_storage(recipe.storage, home, writes=False) as store:
            kept, figures = index_and_measure(
                archive_films(archive, store, workers), archive_films(unseen, store, workers),
                build(ENCODERS, encoder, {}), canaries=canaries, false_alarms=false_alarms,
            )  # fmt: skip
        save_index(kept, file)
    console().print(_table(figures))
    say(f"limit {kept.limit:.4f}; written to {file}")


@app.command()
def audit(
    file: File = Path("memory.safetensors"),
    show: Annotated[int, typer.Option(help="How many of the nearest to show.")] = 10,
    encoder: Kind = "classifier-features",
    profile: Profile = "local",
    changes: Changes = None,
) -> None:
    """Compare every accepted film of the profile's dataset version with the archive; list the nearest.

    The whole table is kept under ``measures/`` in the store. A published version does not change: to keep copies
    out of the next one, put the gate `memorisation` into the profile, and copies go to its rejects.

    \b
    synth privacy audit --index a.safetensors
    """
    from rich.table import Table

    from flows.progress import Progress
    from flows.session import open_storage
    from models.gates.training_index import load_index
    from models.registry import ENCODERS, build
    from storage.layout import DatasetRef
    from storage.versions import Version, VersionPlace
    from tasks.privacy.audit import audit as compare
    from tasks.publish.dataset import find_version
    from tasks.recipe.fingerprint import fingerprint, version_of
    from tasks.recipe.profile import dump_published, load_recipe

    with explained():
        recipe, home = load_recipe(profile, changes or [], PROFILES), prepare()
        ref, archive = DatasetRef(recipe.dataset, version_of(recipe)), load_index(file)
        with open_storage(recipe.storage, home) as store, Progress() as bars:
            find_version(VersionPlace(store, ref), dump_published(recipe), fingerprint(recipe))
            rows = compare(
                Version.open(store, ref),
                archive,
                build(ENCODERS, encoder, {}),
                lambda done, total: bars.stage("compare films", done, total),
            )
    table = Table("film", "nearest", "fine structure", "embedding", "flagged")
    for row in sorted(rows, key=lambda row: -row.correlation)[:show]:
        way = " (mirrored)" if row.mirrored else ""
        flag = "yes" if row.flagged else ""
        table.add_row(row.sample_id, row.by_pixels + way, f"{row.correlation:.4f}", f"{row.cosine:.3f}", flag)
    console().print(table)
    flagged = sum(row.flagged for row in rows)
    say(f"{flagged} of {len(rows)} accepted films of {ref} agree with one of {len(archive)} archive films")
    for name, value in archive.figures.items():
        say(f"  {name}: {value:.4g}")


def _table(figures: CanaryFigures) -> Table:
    from rich.table import Table

    table = Table("planted", "films", "found", "95 % interval", "same verdict under every seed")
    for kind in figures.kinds:
        interval = f"{kind.low:.3f} to {kind.high:.3f}"
        table.add_row(kind.kind, str(kind.planted), f"{kind.sensitivity:.3f}", interval, f"{kind.consistent:.3f}")
    unseen = f"{figures.low:.3f} to {figures.high:.3f}"
    table.add_row("nothing (unseen films)", str(figures.unseen), f"{1 - figures.specificity:.3f}",
                  f"specificity {unseen}", "")  # fmt: skip
    return table
