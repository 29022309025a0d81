"""The figures that a dataset card must show before it may make any statement on privacy."""

from __future__ import annotations

from models.gates.training_index import index_figures
from tasks.recipe.schema import Recipe

GATE = "memorisation"


def card_figures(recipe: Recipe) -> dict[str, float]:
    """Figures of the recipe's memorisation gate on planted copies; empty where there is no such gate.

    Raises:
        ModelNotFound: the gate's index is missing.
        ValueError: the index was never tried on planted copies.
    """
    figures: dict[str, float] = {}
    for gate in recipe.image_gates:
        if gate.kind == GATE:
            path = gate.options.get("index", "memory.safetensors")
            found = index_figures(path)
            if not found:
                raise ValueError(f"{path} was never tried on planted copies: `synth privacy index` does both")
            figures |= found
    return figures
