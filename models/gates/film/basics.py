"""Gates on a film that do not depend on findings: whether it is a film at all, upright, with two lungs.

The statistics of a frontal film are fitted once from hospital A's archive, bad films included: the mean film and
its main ways to differ, fitted again and again to the films that fit best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from models.contracts import Candidate, Gate, GateScore, ModelNotFound
from models.gates.film.order import span
from models.gates.film.view import GRID, FilmBatch, FilmGate, normalised_32px
from models.nets.shipped import REMEDY, SHIPPED
from models.typed import AnyPath

WAYS = 40  # principal ways in which good films differ
SPOILT = 0.12  # share of the archive that may be bad without spoiling the fit
ROOM = 4.0  # a film may be this many times as odd as the oddest hundredth of the archive: rare findings are
USUAL = {"contrast": 0.4, "polarity": 0.5, "two_lungs": 0.5}
FILE = "film-look.safetensors"


@dataclass(frozen=True, slots=True)
class FilmLook:
    """`mean` (GRID²), `ways` (WAYS, GRID²) orthonormal, and the misfit that scores 0.5."""

    mean: np.ndarray
    ways: np.ndarray
    limit: float

    def misfit(self, films: np.ndarray) -> np.ndarray:
        """Share of each coarse film (n, GRID²) that the look leaves unexplained, 0..1."""
        rest = films - self.mean
        rest = rest - (rest @ self.ways.T) @ self.ways
        return (rest**2).sum(1) / np.maximum((films**2).sum(1), 1e-9)


def fit_film_look(images: np.ndarray, rounds: int = 4) -> FilmLook:
    """Learn the look of (n, H, W) uint8 films of which up to `SPOILT` may be bad."""
    films = normalised_32px(images)
    typical = np.median(films, axis=0)
    closeness = films @ typical
    kept = films[closeness >= np.quantile(closeness, SPOILT)]
    look = _principal(kept)
    for _ in range(rounds):
        misfit = look.misfit(films)
        kept = films[misfit <= np.quantile(misfit, 1 - SPOILT / 2)]
        look = _principal(kept)
    return look


def _principal(films: np.ndarray) -> FilmLook:
    mean = films.mean(0)
    _, _, ways = np.linalg.svd((films - mean)[:: max(1, len(films) // 4000)], full_matrices=False)
    look = FilmLook(mean, ways[:WAYS], 1.0)
    return FilmLook(mean, ways[:WAYS], ROOM * float(np.quantile(look.misfit(films), 0.99)))


def save_film_look(look: FilmLook, folder: Path = SHIPPED) -> None:
    """Write ``film-look.safetensors`` under `folder`."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    parts = {"mean": look.mean, "ways": np.ascontiguousarray(look.ways), "limit": np.array([look.limit])}
    save_file({name: part.astype(np.float32) for name, part in parts.items()}, folder / FILE)
    (folder / FILE).chmod(0o644)  # safetensors writes files that only their owner may read


def load_film_look(folder: Path = SHIPPED) -> FilmLook:
    """The look that ships with us.

    Raises:
        ModelNotFound: the file is missing.
    """
    from safetensors.numpy import load_file

    if not (folder / FILE).is_file():
        raise ModelNotFound(f"{folder / FILE} is missing; {REMEDY}")
    parts = load_file(folder / FILE)
    return FilmLook(parts["mean"], parts["ways"], float(parts["limit"][0]))


class Finite(FilmGate):
    """1 where every value is a number, else 0."""

    name = "finite"

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        scores = []
        for film in films.raw:
            bad = int((~np.isfinite(film)).sum())
            scores.append(GateScore(self.name, float(bad == 0), f"{bad} values are no numbers" if bad else ""))
        return scores


class Contrast(FilmGate):
    """How much there is to see: the lesser of two spreads, 0 for a blank, a burnt-out or a fully blurred film.

    The first is the spread of greys between the 5th and the 95th percentile as a share of the range. The second is
    the mean detail between one and three pixels (of a film of 128) as a share of the film's deviation, times five.
    """

    name = "contrast"

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        scores = []
        for spread, detail in films.measured(self.name, _contrast):
            reason = f"the greys span {spread:.0%} of the range, detail is {detail:.2f}"
            scores.append(GateScore(self.name, min(spread, detail), reason))
        return scores


def _contrast(film: np.ndarray | None) -> tuple[float, float]:
    if film is None:
        return 0.0, 0.0
    low, high = span(film, 0.05, 0.95)
    pixel = film.shape[0] / 128
    fine, rough = (cv2.GaussianBlur(film, (0, 0), pixel * sigma) for sigma in (1.0, 3.2))
    return float(high - low) / 255, float(5 * np.abs(fine - rough).mean() / (film.std() + 1))


class _Look(FilmGate):
    """Shared by the gates that compare a film with the learnt look, read from `folder` on first use."""

    def __init__(self, folder: AnyPath = SHIPPED) -> None:
        self._folder = Path(folder)

    @cached_property
    def look(self) -> FilmLook:
        """The learnt look."""
        return load_film_look(self._folder)


class Polarity(_Look):
    """Correlation with the mean frontal film, scaled to 0..1: an inverted film lies under 0.5.

    Args:
        folder: where ``film-look.safetensors`` lies.
    """

    name = "polarity"

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        typical = self.look.mean / np.linalg.norm(self.look.mean)
        likeness = films.normalised_32px @ typical / GRID
        return [GateScore(self.name, float((1 + r) / 2), f"likeness to a frontal film {r:+.2f}") for r in likeness]


class TwoLungs(_Look):
    """How well the film fits the look of frontal films: 1 perfectly, 0.5 as badly as is allowed, 0 not at all.

    Args:
        folder: where ``film-look.safetensors`` lies.
    """

    name = "two_lungs"

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        misfits = self.look.misfit(films.normalised_32px)
        return [
            GateScore(self.name, score, f"{misfit:.1%} of the film is unlike frontal films")
            for score, misfit in zip(self._scores(misfits), misfits, strict=True)
        ]

    def _scores(self, misfits: np.ndarray) -> list[float]:
        return [float(1 / (1 + misfit / self.look.limit)) for misfit in misfits]


def accepted(images: np.ndarray, folder: str | Path = SHIPPED) -> np.ndarray:
    """Which films (n, H, W) all gates of this module accept at their usual thresholds, (n,) of bool."""
    gates: tuple[Gate, ...] = (Contrast(), Polarity(folder), TwoLungs(folder))
    batch = [Candidate(str(i), (), "", "", image) for i, image in enumerate(images)]
    return np.all([[s.score >= USUAL[s.gate] for s in gate.score(batch)] for gate in gates], axis=0)
