"""The command `synth curate`: decide which pairs are kept, and count what each rule removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.explained import explained
from flows.cli.running import Profile, echo, run_flow
from flows.services.home import PROFILES, prepare
from flows.terminal import console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Group

app = typer.Typer(rich_markup_mode=None)


@app.command()
def curate(
    of: Annotated[
        str | None,
        typer.Argument(metavar="[NAME@VERSION]", help="Any published version; without it, the profile's."),
    ] = None,
    profile: Profile = "local",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change one field, such as curate.near_image=10."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--explain", help="Show what each rule removed, with an example of each.")
    ] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Decide and explain, but write no selection.")] = False,
) -> None:
    """Decide which pairs of a dataset version are kept. No pixel moves, nothing is generated again.

    The rules are the section `curate` of the profile. They apply in this order, each to what the last one left:

    \b
    gates, thresholds   what a gate refuses; thresholds re-decide the stored scores
    same_image          most pairs with one and the same film                  (1)
    same_report         most pairs with one and the same report                (4)
    near_image          films within so many of 256 bits of a perceptual hash  (off, 0 to 24)
    near_film           films at this cosine of their embeddings               (off, 0.8 to 1)
    near_report         reports sharing this much of their wording             (off, 0.8 to 1)
    top                 the best share by a gate's score, within each finding  (off)
    utility             the share of highest utility: agreement, rarity, novelty (off)
    balance             thin out common findings to given proportions          (off)
    caps                most pairs of each finding                             (off)

    Films are read once, for the first rule that needs to see them; what is alike is kept in the store, and other
    thresholds are decided from it in seconds. Other rules make another selection, named after them, and `synth
    pretrain` with the same rules trains on it.

    \b
    synth curate --explain
    synth curate --dry-run --set curate.thresholds.agreement=0.4
    synth curate nih@latest --set curate.near_image=8
    synth curate --explain --set curate.near_image=8 --set curate.near_report=0.9
    synth curate --explain --set 'curate.top={share: 0.8}' --set 'curate.balance={tolerance: 0.2}'
    synth curate --explain --set 'curate.caps={no finding: 500, other: 2000}'
    """

    if dry:
        console().print(_table(_decided(profile, changes or [], of)))
        return
    result = run_flow("curate", profile, changes, of)
    if show:
        console().print(_table(result))
    else:
        echo({key: result[key] for key in ("dataset", "selection", "kept", "of")})


def _decided(profile: str, changes: list[str], of: str | None) -> dict[str, Any]:
    """What the flow would return, without a Prefect run, tracking or a selection written."""
    from flows.progress import Progress
    from flows.session import open_storage
    from storage.layout import DatasetRef
    from storage.tags import resolve
    from storage.versions import Version, VersionPlace
    from tasks.curate.explain import explain, spread
    from tasks.curate.keep import decide
    from tasks.publish.dataset import find_version
    from tasks.recipe.fingerprint import fingerprint, version_of
    from tasks.recipe.profile import dump_published, load_recipe

    with explained():
        recipe = load_recipe(profile, changes, PROFILES)
        with open_storage(recipe.storage, prepare()) as store, Progress() as progress:
            ref = DatasetRef(recipe.dataset, version_of(recipe)) if of is None else resolve(store, of)
            if of is None:
                find_version(VersionPlace(store, ref), dump_published(recipe), fingerprint(recipe))
            table, selection = decide(Version.open(store, ref), recipe.curate, progress.stage)
    return {
        "dataset": str(ref),
        "selection": f"{recipe.curate.name} (not written)",
        "kept": len(selection.kept),
        "of": len(selection.choices),
        "removed": [line.model_dump() for line in explain(selection)],
        "spread": spread(table, selection),
    }


def _table(result: Mapping[str, Any]) -> Group:
    from rich.console import Group
    from rich.table import Table

    table = Table("rule", "saw", "removed", "left", "for example")
    for line in result["removed"]:
        left = line["seen"] - line["removed"]
        table.add_row(
            line["rule"], str(line["seen"]), str(line["removed"]), str(left), f"{line['example']}: {line['why']}"
        )
    before, after = result["spread"]
    return Group(
        f"selection {result['selection']} of {result['dataset']}: {result['kept']} of {result['of']} pairs kept",
        table if result["removed"] else "no rule removed anything",
        f"pairs of the most common finding for one of the least: {before:.1f} before, {after:.1f} after",
    )
