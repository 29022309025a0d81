"""Whether a film is a copy, told by all of its parts as they lie: stricter than the gate, and without its code.

Unlike `models.gates.training_index` it looks nothing up and aligns nothing, so that it misses copies that were
moved; it is there to measure the gate where a generator learnt films by heart. Tiles after Carlini et al. 2023
(arXiv 2301.13188, section 4.2), whose copies must be near in the worst of 16 tiles.
"""

from __future__ import annotations

import numpy as np

TILES = 4  # along each side


class StrictCopies:
    """Correlation with each film of an archive in the worst of 4 x 4 tiles.

    Films are brought to equal mean and spread and lose the archive's mean film. `limit` is the most that any two
    different films among `archive` and `others` agree; a copy agrees more.

    Args:
        archive: (n, H, W) uint8, sides divisible by four.
        others: (m, H, W) films that are not in the archive.
    """

    def __init__(self, archive: np.ndarray, others: np.ndarray) -> None:
        self._typical = _even(archive).mean(0)
        self._tiles = self._cut(archive)
        pairs = self.agreement(np.concatenate([archive, others]))
        np.fill_diagonal(pairs, -1)
        self.limit = float(pairs.max())

    def agreement(self, films: np.ndarray) -> np.ndarray:
        """Of films (m, H, W) with each of the archive's n: (m, n), -1 to 1."""
        return np.min([new @ old.T for new, old in zip(self._cut(films), self._tiles, strict=True)], 0)

    def _cut(self, films: np.ndarray) -> np.ndarray:
        """Tiles (TILES², n, pixels) of zero mean and unit length."""
        high, wide = (size // TILES for size in films.shape[1:])
        parts = (_even(films) - self._typical).reshape(len(films), TILES, high, TILES, wide)
        flat = parts.transpose(1, 3, 0, 2, 4).reshape(TILES**2, len(films), high * wide)
        flat = flat - flat.mean(2, keepdims=True)
        return flat / np.maximum(np.linalg.norm(flat, axis=2, keepdims=True), 1e-6)


def _even(films: np.ndarray) -> np.ndarray:
    films = films.astype(np.float32)
    return (films - films.mean((1, 2), keepdims=True)) / np.maximum(films.std((1, 2), keepdims=True), 1e-3)
