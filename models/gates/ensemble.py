"""All film gates in one: a film's score is the lowest of the members', on a common scale.

    python -m models.gates.ensemble --good FOLDER --out ensemble.json [--false-rejects 0.01]

Each member's scores are brought to the scale of good films, so that none of them decides alone what is usual. Two
calibrations ship: ``ensemble`` is of hospital A, ``generated`` of films that the shipped image generator drew and the
local profile's other gates accepted (they are smoother). Another archive or generator takes its own good films and the
command above; its folder may hold the films of a dataset version, unpacked with ``tar``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models import registry
from models.contracts import GateScore, ModelNotFound
from models.gates.calibration import Scale, fit_scale, score_films, threshold_at
from models.gates.film.view import FilmBatch, FilmGate
from models.nets.shipped import SHIPPED
from models.typed import AnyPath

FILE = "ensemble.json"
CALIBRATIONS = ("ensemble", "generated")
MEMBERS: tuple[str, ...] = (
    "finite", "contrast", "polarity", "two_lungs", "sharpness", "noise", "pattern", "upright", "border", "dead_area",
    "burned_text", "film_defects", "bad_bank",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scales of the members and the ensemble's value under which a share of `false_rejects` of good films lies."""

    scales: Mapping[str, Scale]
    limit: float
    false_rejects: float

    def values(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """Values (members, n) on the members' scales of their scores (n,), in the order of `scales`."""
        return np.stack([scale.of(scores[name]) for name, scale in self.scales.items()])


def calibrate(scores: Mapping[str, np.ndarray], false_rejects: float = 0.01) -> Calibration:
    """A calibration from every member's scores (n,) of the same n good films."""
    scales = {name: fit_scale(each) for name, each in scores.items()}
    lowest = Calibration(scales, 0.0, false_rejects).values(scores).min(0)
    return Calibration(scales, threshold_at(lowest, false_rejects), false_rejects)


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(calibration), indent=1) + "\n")


def load_calibration(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        ModelNotFound: there is no such file.
    """
    if not path.is_file():
        raise ModelNotFound(f"no calibration at {path}: make one with `python -m models.gates.ensemble --help`")
    parts = json.loads(path.read_text())
    return Calibration({k: Scale(**v) for k, v in parts["scales"].items()}, parts["limit"], parts["false_rejects"])


class Ensemble(FilmGate):
    """Minimum of the calibrated member scores; 0.5 is the threshold that rejects the calibrated share of good films.

    Args:
        calibration: a file that `save_calibration` wrote, which names the members, or the name of a shipped one.
        options: options of members, by kind.
    """

    name = "film_ensemble"

    def __init__(
        self, calibration: AnyPath = "ensemble", options: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        shipped = SHIPPED / f"{calibration}.json"
        self._path = shipped if calibration in CALIBRATIONS else Path(calibration)
        self._options = options or {}

    @cached_property
    def _parts(self) -> tuple[Calibration, list[FilmGate], str]:
        calibration = load_calibration(self._path)
        revision = f"{self.name}@{hashlib.sha256(self._path.read_bytes()).hexdigest()[:12]}"
        return calibration, members(calibration.scales, self._options), revision

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        calibration, gates, revision = self._parts
        columns = {gate.name: gate.score_batch(films) for gate in gates}
        values = calibration.values({name: np.array([s.score for s in each]) for name, each in columns.items()})
        names = list(columns)
        scores = []
        for at, worst in enumerate(values.argmin(0)):
            score = 1 / (1 + np.exp(np.clip(calibration.limit - values[worst, at], -40, 40)))
            said = columns[names[worst]][at]
            scores.append(GateScore(self.name, float(score), f"{said.gate}: {said.reason}", said.model or revision))
        return scores


def members(kinds: Sequence[str] | Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]) -> list[FilmGate]:
    """The gates that `kinds` name."""
    return [registry.build(registry.GATES, kind, options.get(kind, {})) for kind in kinds]


def main() -> None:
    """Calibrate on a folder of good films."""
    from models.gates.film.bad_bank import read_films

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=Path, required=True)
    parser.add_argument("--false-rejects", type=float, default=0.01)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    films = read_films(args.good)
    scores = {gate.name: score_films(gate, films) for gate in members(MEMBERS, {})}
    save_calibration(calibrate(scores, args.false_rejects), args.out)
    print(f"{args.out}: {len(scores)} gates on {len(films)} good films at {args.false_rejects:.1%} false rejects")


if __name__ == "__main__":
    main()
