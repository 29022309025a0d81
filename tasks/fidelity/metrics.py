"""How near generated films are to real ones: distances between their distributions under a named encoder.

The formulas are those of torchmetrics (FID, KID, MS-SSIM) and prdc (precision, recall, density, coverage). A figure
means nothing without its encoder and its number of films: FID is biased upwards in small samples, so compare it
with `fidelity` of other real films in the same number, which is the floor that a perfect generator would reach.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.compat import torchvision_ready

NEAREST = 5  # neighbours that span the manifold, as in Naeem et al. 2020
SUBSETS = 50  # of KID
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM, Wang et al. 2003
WINDOW = 11  # pixels that MS-SSIM compares at once, on every scale


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The figures of `made` films against `real` ones, numbers of films first.

    `fid` (Heusel et al. 2017) and `kid` (Binkowski et al. 2018, with `kid_spread` over its subsets) are 0 for equal
    distributions; `fid` is NaN where one side has no more films than features, because its covariance is singular.
    `precision` and `recall` (Kynkaanniemi et al. 2019) and `coverage` (Naeem et al. 2020) lie in 0..1, `density`
    around 1.
    """

    real: int
    made: int
    fid: float
    kid: float
    kid_spread: float
    precision: float
    recall: float
    density: float
    coverage: float


def least_films(nearest: int = NEAREST) -> int:
    """Films that a side must have: prdc counts a film among its own neighbours and needs one beyond them."""
    return nearest + 2


def fidelity(real: np.ndarray, made: np.ndarray, *, nearest: int = NEAREST, seed: int = 0) -> Fidelity:
    """Compare features of real films (n, d) with those of generated ones (m, d).

    Args:
        real, made: one row per film, of one encoder.
        nearest: neighbours that span the manifold.
        seed: of KID's subsets.

    Raises:
        ValueError: too few films, other widths, or values that are no numbers.
    """
    _check(real, made, nearest)
    torchvision_ready()
    from prdc import compute_prdc

    enough = min(len(real), len(made)) > real.shape[1]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # prdc prints what it was given
        warnings.filterwarnings("ignore", message="Metric .* will save all extracted features")
        kid, spread = _kid(real, made, seed)
        fid = _fid(real, made) if enough else float("nan")
        shares = compute_prdc(real, made, nearest_k=nearest)
    return Fidelity(len(real), len(made), fid, kid, spread, **{name: float(share) for name, share in shares.items()})


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Features (n, d) of films, and their labels (n, findings) of 0 and 1."""

    features: np.ndarray
    labels: np.ndarray

    def with_finding(self, column: int) -> np.ndarray:
        """Features of the films with the finding of a column."""
        return self.features[self.labels[:, column] > 0]


def fidelity_by_finding(
    real: LabelledFeatures, made: LabelledFeatures, findings: Sequence[str], *, nearest: int = NEAREST, seed: int = 0
) -> dict[str, Fidelity | None]:
    """`fidelity` among the films with each finding; None where a side has too few.

    Args:
        real, made: their labels have one column per finding.
        findings: the names of the columns.
        nearest, seed: see `fidelity`.
    """
    found: dict[str, Fidelity | None] = {}
    for column, finding in enumerate(findings):
        sides = real.with_finding(column), made.with_finding(column)
        few = min(map(len, sides)) < least_films(nearest)
        found[finding] = None if few else fidelity(*sides, nearest=nearest, seed=seed)
    return found


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """MS-SSIM (n,) of films (n, H, W) uint8 with films of the same prompts and other seeds: 1 is the same film.

    Films too small for five scales are compared on as many as fit; a low mean shows that seeds vary.

    Raises:
        ValueError: other shapes on both sides, or films that not even one scale fits into.
    """
    torchvision_ready()
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms_ssim

    if one.shape != other.shape or one.ndim != 3:
        raise ValueError(f"films are compared in pairs of one size, not {one.shape} with {other.shape}")
    fit = sum(min(one.shape[1:]) // 2**scale >= WINDOW for scale in range(len(SCALES)))
    if not fit:
        raise ValueError(f"films of {one.shape[1]} x {one.shape[2]} pixels are smaller than a window of {WINDOW}")
    betas = tuple(weight / sum(SCALES[:fit]) for weight in SCALES[:fit])
    left, right = (torch.from_numpy(np.ascontiguousarray(side)).unsqueeze(1).float() / 255 for side in (one, other))
    return ms_ssim(left, right, data_range=1.0, betas=betas, normalize="relu", reduction="none").numpy()


def _check(real: np.ndarray, made: np.ndarray, nearest: int) -> None:
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1]:
        raise ValueError(f"features {real.shape} and {made.shape} are not (films, features) of one encoder")
    if min(len(real), len(made)) < least_films(nearest):
        least = least_films(nearest)
        raise ValueError(
            f"{len(real)} real and {len(made)} generated films: {nearest} neighbours take {least} of each"
        )
    for name, side in (("real", real), ("generated", made)):
        broken = np.flatnonzero(~np.isfinite(side).all(1))
        if len(broken):
            raise ValueError(f"features of {name} film {broken[0]} are no numbers: leave films that hold none out")


def _features(width: int) -> Any:
    """What torchmetrics takes for its encoder: ours has run already."""
    import torch

    encoder: Any = torch.nn.Identity()
    encoder.num_features = width
    return encoder


def _computed(metric: Any, real: np.ndarray, made: np.ndarray) -> Any:
    import torch

    for side, is_real in ((real, True), (made, False)):
        metric.update(torch.from_numpy(np.ascontiguousarray(side, np.float32)), real=is_real)
    return metric.compute()


def _fid(real: np.ndarray, made: np.ndarray) -> float:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return float(_computed(FrechetInceptionDistance(feature=_features(real.shape[1])), real, made))


def _kid(real: np.ndarray, made: np.ndarray, seed: int) -> tuple[float, float]:
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    size = max(2, min(len(real), len(made), 1000) // 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        metric = KernelInceptionDistance(feature=_features(real.shape[1]), subsets=SUBSETS, subset_size=size)
        mean, spread = _computed(metric, real, made)
    return float(mean), float(spread)
