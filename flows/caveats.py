"""What must be told beside a table of scores, so that nobody reads more from it than was shown."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.corpora.source import PhantomSource
from tasks.recipe.schema import Recipe

SHIPPED_GENERATOR_FILMS = 20_000
"""Films of hospital A that the image generator ``builtin:phantom`` learnt from."""


def caveats(recipe: Recipe, pairs: Mapping[str, int]) -> tuple[str, ...]:
    """The sentences that belong under the table.

    Args:
        recipe: of the run.
        pairs: how many pairs each arm learnt from, by its name.
    """
    found = []
    if _shipped_generator(recipe):
        real = f", the arm real from {pairs['real']:,}" if pairs.get("real") else ""
        found.append(
            f"The image generator learnt from {SHIPPED_GENERATOR_FILMS:,} films of hospital A{real}: "
            "the table says nothing about synthetic against real data."
        )
    if any(isinstance(section.parsed, PhantomSource) for section in recipe.sources.named().values()):
        found.append(
            "Hospitals A and B are phantoms, drawn by a program: the figures say whether the factory works, "
            "not what data is worth for patients."
        )
    return tuple(found)


def _shipped_generator(recipe: Recipe) -> bool:
    generator = recipe.images.generator
    return generator.kind == "diffusers" and str(generator.options.get("model", "")).startswith("builtin:")
