"""One line on what a recipe will do."""

from __future__ import annotations

from tasks.recipe.fingerprint import version_of
from tasks.recipe.schema import Component, Recipe


def summary(recipe: Recipe) -> str:
    """What a sound recipe makes, with what, and where."""
    shards = -(-recipe.pairs // recipe.shard_size)
    gates = len(recipe.report_gates) + len(recipe.image_gates)
    arms, seeds = len(recipe.pretrain.chosen), len(recipe.pretrain.seeds)
    with_seeds = f" with {seeds} seeds each" if seeds > 1 else ""
    return (
        f"profile {recipe.profile!r} is sound: {recipe.pairs} pairs of {recipe.dataset}/{version_of(recipe)} in "
        f"{shards} {'shard' if shards == 1 else 'shards'}, reports by {_named(recipe.reports.generator)}, films by "
        f"{_named(recipe.images.generator)}, {gates} gates, then {arms} {'arm' if arms == 1 else 'arms'}{with_seeds}"
    )


def _named(part: Component) -> str:
    model = part.options.get("model")
    return f"{part.kind} ({model})" if model else part.kind
