"""What a fidelity report takes of a published version: its first films, and their prompts drawn with other seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.contracts import ImageGenerator, ImageRequest
from models.findings.label_sets import LabelSet
from models.registry import IMAGE_GENERATORS, build
from storage.png import decode_png
from storage.records import PairRow
from storage.shards import row_of
from storage.versions import Version
from tasks.errors import AuditError
from tasks.fidelity.films import Film
from tasks.fidelity.reference import in_set
from tasks.plan.seeds import seed_for
from tasks.publish.dataset import frozen_recipe
from tasks.recipe.paths import hides_places
from tasks.recipe.profile import parse_recipe

_NONE = "--seeds 0 leaves out what two seeds of one prompt have in common"


@dataclass(frozen=True, slots=True)
class GeneratedFilms:
    """Films that a report is about.

    Args:
        name: as the report prints it.
        films: in their order.
        again: films of the first prompts with other seeds.
    """

    name: str
    films: Sequence[Film]
    again: Sequence[np.ndarray] = ()


def read_version(
    version: Version,
    films: int,
    seeds: int,
    on_drawn: Callable[[int, int], None] = lambda *_: None,
    label_set: LabelSet | None = None,
) -> GeneratedFilms:
    """The first `films` films of a published version; its generator draws the first `seeds` prompts again, ungated.

    Args:
        version: the version.
        films: most films of it.
        seeds: prompts that are drawn again.
        on_drawn: called with how many of how many films are drawn again.
        label_set: the findings as which its labels are read; None takes the labels as they are.

    Raises:
        AuditError: nothing here draws films as the version's were drawn.
        ModelNotFound: the generator's weights are missing.
    """
    taken = [(row_of(sample, str(version)), sample.png) for sample in islice(version.samples(), films)]
    rows = [row for row, _ in taken[:seeds]]
    again = _drawn_again(version, rows, on_drawn) if rows else []
    labels = [row.labels if label_set is None else in_set(row.labels, label_set) for row, _ in taken]
    shown = [Film(decode_png(png), own) for (_, png), own in zip(taken, labels, strict=True)]
    return GeneratedFilms(str(version), shown, again)


def _drawn_again(version: Version, rows: Sequence[PairRow], on_drawn: Callable[[int, int], None]) -> list[np.ndarray]:
    _, recipe = frozen_recipe(version)
    if "archive" in recipe:
        raise AuditError(f"the films of {version} are an archive's, no generator drew them: {_NONE}")
    section = parse_recipe(recipe, f"the recipe of {version}").images
    then, options = rows[0].image_model, dict(section.generator.options)
    if hides_places(options.get("model")):
        options["model"] = then.rpartition("@")[0]
    generator: ImageGenerator = build(IMAGE_GENERATORS, section.generator.kind, options)
    now = f"{generator.card.name}@{generator.card.revision}"
    if then.rpartition("@")[2] != generator.card.revision:
        raise AuditError(f"{then} drew the films of {version}, and {now} is here: put its weights back, or {_NONE}")
    requests = [
        ImageRequest(row.sample_id, row.provenance.get("prompt", row.impression),
                     seed_for(str(row.image_seed), row.sample_id, "fidelity", 0))
        for row in rows
    ]  # fmt: skip
    films: list[np.ndarray] = []
    for at in range(0, len(requests), section.batch):
        films += generator.generate(requests[at : at + section.batch])
        on_drawn(len(films), len(requests))
    return films
