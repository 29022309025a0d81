"""CheXzero: CLIP that goes on from given weights, on impressions (Tiu et al., 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.typed import AnyPath
from models.vlp.losses.same_text import SameText
from models.vlp.objectives.clip import ClipObjective, FirstTemperature, LargestScale

if TYPE_CHECKING:
    from torch import nn


class ChexzeroObjective(ClipObjective):
    """The objective ``clip`` with CheXzero's training around it: `models.vlp.objectives.presets` has the numbers.

    Args:
        weights: a safetensors file of the whole model, such as a checkpoint of ``clip``; without it, training starts
            from random weights.
        temperature: what the learnt one starts from, where no weights are given.
        largest_scale: the learnt scale stays between 1 and this.
        same_text: what pairs with equal texts are to each other.
    """

    def __init__(
        self, weights: AnyPath | None = None, temperature: FirstTemperature = 0.07,
        largest_scale: LargestScale = 100.0, same_text: SameText = "negative",
    ) -> None:  # fmt: skip
        super().__init__(temperature, largest_scale, same_text)
        self._weights = None if weights is None else Path(weights)

    def prepare(self, module: nn.Module) -> None:
        """Read the weights, or set what the scale starts from.

        Raises:
            ValueError: the weights cannot be read, or are another model's; the message names the file.
        """
        if self._weights is None:
            super().prepare(module)
            return
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            module.load_state_dict(load_file(self._weights), strict=True)
        except (OSError, SafetensorError, RuntimeError) as error:
            why = " ".join(str(error).split())[:200]
            raise ValueError(f"{self._weights} holds no weights of this model: {why}") from error
