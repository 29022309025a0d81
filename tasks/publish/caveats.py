"""Sentences under a table of scores: what its figures do not show."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.corpora.source import PhantomSource
from tasks.recipe.schema import Recipe
from tasks.recipe.sources import SourceSection
from tasks.recipe.training import SYNTHETIC, ArmSection

SHIPPED_GENERATOR_FILMS = 20_000
"""Films of hospital A that the image generator ``builtin:phantom`` was trained on."""


def caveats(recipe: Recipe) -> tuple[str, ...]:
    """The sentences that belong under the table of a run."""
    found = []
    arms = recipe.pretrain.chosen
    if _shipped_generator(recipe) and any(SYNTHETIC in _mixed(arm) for arm in arms.values()):
        counts = {name: films for name, arm in arms.items() if (films := _phantom_films(recipe, arm))}
        listed = "".join(f", the arm {name} from {films:,}" for name, films in counts.items())
        found.append(
            f"The image generator learnt from {SHIPPED_GENERATOR_FILMS:,} films of hospital A{listed}: "
            "the table is no comparison of synthetic with real data."
        )
    if any(isinstance(section.parsed, PhantomSource) for section in _used(recipe)):
        found.append(
            "Hospitals A and B are phantoms, drawn by a program: the figures show whether the factory works, "
            "not what data is worth for patients."
        )
    return tuple(found)


def _shipped_generator(recipe: Recipe) -> bool:
    generator = recipe.images.generator
    return generator.kind == "diffusers" and str(generator.options.get("model", "")).startswith("builtin:")


def _mixed(arm: ArmSection) -> tuple[str, ...]:
    return tuple(entry.source for entry in arm.mix)


def _phantom_films(recipe: Recipe, arm: ArmSection) -> int:
    """Films of its sources, for an arm that trains on phantoms alone and is no control; else 0."""
    if arm.control != "none" or SYNTHETIC in _mixed(arm):
        return 0
    sections = [_section(recipe, name) for name in _mixed(arm)]
    phantoms = all(isinstance(section.parsed, PhantomSource) for section in sections)
    return sum(section.count for section in sections) if phantoms else 0


def _used(recipe: Recipe) -> Iterator[SourceSection]:
    """The sources that the arms mix, and those of validation and test."""
    sources = recipe.sources
    yield from (section for section in (sources.validation, sources.test) if section is not None)
    for arm in recipe.pretrain.chosen.values():
        yield from (_section(recipe, name) for name in _mixed(arm) if name != SYNTHETIC)


def _section(recipe: Recipe, name: str) -> SourceSection:
    """A source of a mix: a key of ``sources``, or the spelling of one."""
    return recipe.sources.named().get(name) or SourceSection(source=name)
