"""The command `synth plan`: what a profile would make, without making any of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.explained import explained
from flows.cli.running import Profile
from flows.services.home import PROFILES, prepare
from flows.terminal import say

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from tasks.plan.plan import Plan
    from tasks.recipe.schema import Recipe

app = typer.Typer(rich_markup_mode=None)
LOOKED_AT = 16_384
"""Samples that are planned to count how often the rules act."""


@app.command()
def plan(
    profile: Profile = "local",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change one field, such as pairs=64."),
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Show so many of the first samples.")] = 3,
    estimate: Annotated[bool, typer.Option("--estimate", help="Also estimate time and cost.")] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds-per-pair", min=0, help="For --estimate; else what the dataset's last version took."),
    ] = None,
) -> None:
    """Show what a profile would make: its entities, shards and first samples. No model is loaded.

    \b
    synth plan --profile local
    synth plan --set pairs=200000 --estimate --seconds-per-pair 0.4
    """
    home = prepare()
    with explained():
        from flows.session import open_storage
        from tasks.check.check import GENERATE, check_recipe
        from tasks.plan.plan import make_plan
        from tasks.recipe.fingerprint import fingerprint, version_of
        from tasks.recipe.profile import load_recipe

        recipe = load_recipe(profile, changes or [], PROFILES)
        check_recipe(recipe, (GENERATE,))
        made = make_plan(recipe, fingerprint(recipe))
        say(f"{recipe.dataset}/{version_of(recipe)}: {recipe.pairs} pairs in {len(made.base_shards)} shards")
        _show(made, samples)
        if estimate:
            if seconds is None:
                with open_storage(recipe.storage, home, writes=False) as store:
                    seconds = _taken(store, recipe)
            _show_estimate(recipe, seconds)


def _show(made: Plan, samples: int) -> None:
    bank = Counter(entity.type.value for entity in made.entities)
    say("bank: " + ", ".join(f"{count} {kind}" for kind, count in sorted(bank.items())))
    for note in made.notes:
        say(note)
    say(str(made.report(min(made.pairs, LOOKED_AT))))
    for spec in made.samples(0, min(samples, made.pairs)):
        say(f"{spec.sample_id}: {'; '.join(mention.phrase for mention in spec.mentions)}")


def _taken(store: ObjectStore, recipe: Recipe) -> float:
    """Seconds per accepted pair of the dataset's latest version.

    Raises:
        StoreError: there is no version to go by.
    """
    from storage.errors import StoreError
    from storage.manifest import find_manifest
    from storage.tags import find_tag
    from tasks.publish.finish import cost

    tag = find_tag(store, recipe.dataset, "latest")
    manifest = find_manifest(store, tag.ref) if tag else None
    taken = cost(recipe, manifest.shards) if manifest else {}
    if not taken:
        raise StoreError(
            f"{recipe.dataset}: no version in {store.root} says what a pair takes: give --seconds-per-pair"
        )
    return next(iter(taken.values()))


def _show_estimate(recipe: Recipe, seconds: float) -> None:
    hours = recipe.pairs * seconds / 3600
    say(
        f"estimate: {hours:.1f} machine hours at {seconds:.2f} s a pair, {hours * recipe.cost_per_hour:.2f} at "
        f"cost_per_hour {recipe.cost_per_hour:g}; other models, sizes or machines take another time"
    )
