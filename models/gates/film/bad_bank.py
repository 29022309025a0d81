"""The bad bank: is a film near one that is known to be bad? (paper section 1)

    python -m models.gates.film.bad_bank --bad FOLDER --good FOLDER [--encoder microsoft/rad-dino] --out FILE

Any two chest films look alike to an encoder, so similarity is the cosine about the mean of good films, and the
limit is not a number taken from a paper: it is where a stated share of held-out good films lies beyond it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from models.contracts import Encoder, GateScore, ModelNotFound
from models.encoders.image import OURS, open_encoder, unit
from models.gates.calibration import threshold_at
from models.gates.film.view import FilmBatch, FilmGate
from models.nets.shipped import SHIPPED
from models.typed import AnyPath

FILE = "bad-bank.safetensors"


@dataclass(frozen=True, slots=True)
class BadBank:
    """Bad films `rows` (n, d), of unit length about `centre` (d,), and the similarity that scores 0.5.

    `false_rejects` is the share of held-out good films that are nearer than `limit`.
    """

    rows: np.ndarray
    centre: np.ndarray
    limit: float
    false_rejects: float
    encoder: str

    def similarity(self, embedded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest bad film to each of (n, d) embeddings: cosine -1..1 and its row."""
        near = unit(embedded - self.centre) @ self.rows.T
        return near.max(1), near.argmax(1)


def make_bank(
    encoder: Encoder, bad: Sequence[np.ndarray], good: Sequence[np.ndarray], false_rejects: float = 0.01
) -> BadBank:
    """A bank of `bad` films; every second good film gives the centre, the others the limit.

    Raises:
        ValueError: no bad films, or too few good ones to estimate a share of `false_rejects`.
    """
    if not bad or len(good) // 2 < 1 / false_rejects:
        raise ValueError(
            f"{len(bad)} bad and {len(good)} good films: a limit at {false_rejects:.1%} false rejects takes at least "
            f"one bad film and {2 * int(np.ceil(1 / false_rejects))} good ones"
        )
    embedded = encoder.embed(good)
    centre = embedded[::2].mean(0)
    bank = BadBank(unit(encoder.embed(bad) - centre), centre, 1.0, false_rejects, encoder.revision)
    limit = -threshold_at(-bank.similarity(embedded[1::2])[0], false_rejects)
    return BadBank(bank.rows, centre, limit, false_rejects, encoder.revision)


def save_bank(bank: BadBank, path: Path) -> None:
    """Write a bank as one safetensors file."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.array([bank.limit, bank.false_rejects], np.float32)
    parts = {"rows": bank.rows.astype(np.float16), "centre": bank.centre.astype(np.float32), "numbers": numbers}
    save_file(parts, path, {"encoder": bank.encoder})
    path.chmod(0o644)  # safetensors writes files that only their owner may read


def load_bank(path: Path) -> BadBank:
    """Read a bank.

    Raises:
        ModelNotFound: there is no such file.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise ModelNotFound(f"no bad bank at {path}: make one with `python -m models.gates.film.bad_bank --help`")
    with safe_open(path, "np") as file:
        limit, false_rejects = file.get_tensor("numbers")
        rows = unit(file.get_tensor("rows"))
        return BadBank(rows, file.get_tensor("centre"), float(limit), float(false_rejects), file.metadata()["encoder"])


class NotInBadBank(FilmGate):
    """0.5 where a film is as near to a bad one as the bank's limit, 1 where it is as far as can be.

    Args:
        bank: a file that `save_bank` wrote; the default holds planted defects of hospital A.
        encoder: ``film``, or the folder or hub id of the vision model that the bank was made with.
        folder: where the weights of ``film`` lie.
    """

    name = "bad_bank"

    def __init__(self, bank: AnyPath = SHIPPED / FILE, encoder: str = OURS, folder: AnyPath = SHIPPED) -> None:
        self._path, self._spec, self._folder = Path(bank), encoder, folder

    @cached_property
    def _parts(self) -> tuple[BadBank, Encoder]:
        bank, encoder = load_bank(self._path), open_encoder(self._spec, self._folder)
        if bank.encoder != encoder.revision:
            raise ValueError(
                f"bad bank {self._path} was made with {bank.encoder}, not with {encoder.revision}: "
                "name its encoder, or make the bank again"
            )
        return bank, encoder

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class."""
        bank, encoder = self._parts
        features = films.features.get(encoder.revision)
        near, which = bank.similarity(encoder.embed(films.raw) if features is None else unit(features))
        return [
            GateScore(self.name, float(np.clip(0.5 + (bank.limit - s) / 4, 0, 1)),
                      f"similarity {s:+.2f} to bad film {w} (limit {bank.limit:+.2f})", bank.encoder)
            for s, w in zip(near, which, strict=True)
        ]  # fmt: skip


def read_films(folder: Path) -> list[np.ndarray]:
    """Every PNG and JPEG under `folder`, grey.

    Raises:
        ValueError: a file is no image.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    films = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    for path, film in zip(paths, films, strict=True):
        if film is None:
            raise ValueError(f"{path} is no image that can be read: remove it")
    return [film for film in films if film is not None]


def main() -> None:
    """Make a bank from two folders of films."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bad", type=Path, required=True)
    parser.add_argument("--good", type=Path, required=True)
    parser.add_argument("--encoder", default=OURS)
    parser.add_argument("--false-rejects", type=float, default=0.01)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    bank = make_bank(open_encoder(args.encoder), read_films(args.bad), read_films(args.good), args.false_rejects)
    save_bank(bank, args.out)
    print(f"{args.out}: {len(bank.rows)} bad films, limit {bank.limit:+.3f} at {bank.false_rejects:.1%} false rejects")


if __name__ == "__main__":
    main()
