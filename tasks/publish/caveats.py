"""What must be told beside a table of scores, so that nobody reads more from it than was shown."""

from __future__ import annotations

from tasks.corpora.source import PhantomSource
from tasks.recipe.schema import Recipe
from tasks.recipe.sources import PHANTOM_FILMS

SHIPPED_GENERATOR_FILMS = 20_000
"""Films of hospital A that the image generator ``builtin:phantom`` learnt from."""


def caveats(recipe: Recipe) -> tuple[str, ...]:
    """The sentences that belong under the table of a run."""
    found = []
    real = recipe.sources.real
    if _shipped_generator(recipe):
        phantom = real is not None and isinstance(real.parsed, PhantomSource)
        films = f", the arm real from {real.films or PHANTOM_FILMS:,}" if real is not None and phantom else ""
        found.append(
            f"The image generator learnt from {SHIPPED_GENERATOR_FILMS:,} films of hospital A{films}: "
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
