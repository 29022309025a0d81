"""What happens when the image generator fails: a bad prompt costs its own film, a broken generator stops the shard."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from models.contracts import ImageGenerator, ImageRequest, ModelNotFound, RequestsRefused, one_line

FAILED_IN_A_ROW = 3
"""So many samples in a row whose prompts fail alone are no bad prompts: the generator is broken."""

_log = logging.getLogger(__name__)


class FaultTolerantImageGenerator:
    """An image generator for one shard; requests that fail together are drawn one by one.

    Args:
        generator: what may fail.
        samples: samples of the shard.
    """

    def __init__(self, generator: ImageGenerator, samples: int) -> None:
        self._generator, self._patience = generator, min(FAILED_IN_A_ROW, max(2, samples))
        self._failed: set[str] = set()

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray | str]:
        """One film per request, in order; the reason for one whose prompt fails alone.

        Raises:
            RequestsRefused: memory does not hold one film, or prompt after prompt fails.
        """
        try:
            return [*self._draw(requests)]
        except (ModelNotFound, RequestsRefused):
            raise
        except Exception as error:
            _log.warning("the image generator failed with %d prompts: %r", len(requests), error)
        return [self._alone(request) for request in requests]

    def _draw(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        try:
            films = self._generator.generate(requests)
        except MemoryError as error:  # generators halve their batch first, so that this is a single film
            raise RequestsRefused(f"the image generator cannot draw: {one_line(error)}") from error
        self._failed.clear()
        return films

    def _alone(self, request: ImageRequest) -> np.ndarray | str:
        try:
            return self._draw([request])[0]
        except (ModelNotFound, RequestsRefused):
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {one_line(error)}"
            self._failed.add(request.sample_id)
            if len(self._failed) == self._patience:
                raise RequestsRefused(
                    f"the image generator failed with {self._patience} samples in a row, the last of which is "
                    f"{request.sample_id}: {why}; mend images.generator and run again: finished shards are safe"
                ) from error
            return why
