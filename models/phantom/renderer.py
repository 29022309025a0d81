"""Draw films with the phantom renderer instead of a learnt model: the upper bound for any generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from models.contracts import ImageRequest, ModelCard
from models.findings.recogniser import Found, mentions
from models.phantom.case import Case
from models.phantom.film import draw_film
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import BY_NAME, LABELS, Finding
from models.typed import Side, one_of


class RendererImageGenerator:
    """Reads the findings out of the prompt and renders them (protocol `ImageGenerator`).

    An attribute that the prompt leaves open is drawn from the request's seed.

    Args:
        hospital: whose machine takes the film, ``a`` or ``b``.
        size: side in pixels.

    Raises:
        ValueError: there is no such hospital.
    """

    token_limit = 1000  # words; the renderer reads prompts of any length

    def __init__(self, hospital: Annotated[str, one_of(*HOSPITALS)] = "a", size: Side = 128) -> None:
        if hospital not in HOSPITALS:
            raise ValueError(f"unknown hospital {hospital!r}: choose one of {', '.join(HOSPITALS)}")
        self.hospital, self.size = hospital, size

    @property
    def card(self) -> ModelCard:
        """The renderer has no weights: the code is its own revision."""
        return ModelCard("renderer", f"phantom-{self.hospital}", "code", "", "Apache-2.0", {"size": str(self.size)})

    def count_tokens(self, prompts: Sequence[str]) -> list[int]:
        """Words per prompt."""
        return [len(prompt.split()) for prompt in prompts]

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        """One film per request, (size, size) uint8."""
        return [self._render(request) for request in requests]

    def _render(self, request: ImageRequest) -> np.ndarray:
        rng = np.random.default_rng(request.seed)
        found = {each.label: each for each in mentions(request.prompt) if each.present}
        findings = tuple(_finding(found[label], rng) for label in LABELS if label in found)
        film, _, _ = draw_film(Case(self.hospital, request.seed, 0, findings), self.size)
        return film


def _finding(found: Found, rng: np.random.Generator) -> Finding:
    kind = BY_NAME[found.label]
    drawn = Finding(kind.name, *(
        str(rng.choice(options)) if options else None for options in (kind.sides, kind.zones, kind.severities)
    ))  # fmt: skip
    return replace(
        drawn,
        side=found.side if found.side in kind.sides else drawn.side,
        zone=found.zone if found.zone in kind.zones else drawn.zone,
        severity=found.severity if found.severity in kind.severities else drawn.severity,
    )
