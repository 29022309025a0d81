"""Train the default defect network on planted defects, fill the default bad bank, calibrate the ensemble.

    python -m models.build.defects

Learns from the sound films of hospital A alone. Every film is first shown as another machine, another hand and
another body would make it, so that the network also serves films of other sources; then half of them are spoilt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.build.films import load_films
from models.build.fit import Run, fit, quick_precision
from models.build.planted_defects import STRENGTHS, plant
from models.encoders.image import FilmEncoder
from models.gates import ensemble
from models.gates.calibration import score_films
from models.gates.film import bad_bank
from models.gates.film.bad_bank import make_bank, save_bank
from models.nets.defect_net import CLASSES, DefectNet, films_to_tensor, save_defect_net
from models.nets.shipped import SHIPPED
from models.phantom.hospital import HOSPITAL_A
from models.training.distributed import rank
from models.training.schedule import Schedule
from models.training.trainer import TrainerOptions, TrainingTask

BATCH, SEED, GOOD = 64, 31, 0.4
Rng = np.random.Generator


def train(films: np.ndarray, run: Run) -> DefectNet:
    """Fit a network on sound films (n, 128, 128) uint8; defects are planted in each batch."""
    torch.manual_seed(SEED)
    net = DefectNet()

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return lesson(films, BATCH, np.random.default_rng((SEED, step, rank())))

    def loss(inputs: tuple[Tensor, Tensor]) -> Tensor:
        images, answers = inputs
        return F.cross_entropy(net(images).float(), answers, label_smoothing=0.02)

    options = TrainerOptions(seed=SEED, precision=quick_precision(), average=0.995)
    fit("defects", net, TrainingTask(batch, loss), run, options)
    return net


def lesson(films: np.ndarray, count: int, rng: Rng) -> tuple[Tensor, Tensor]:
    """Films (count, 1, 128, 128) in 0..1 and their classes (count,)."""
    images, answers = [], []
    for row in rng.integers(0, len(films), count):
        film = restyled(films[row], rng)
        answer = 0 if rng.random() < GOOD else int(rng.integers(1, len(CLASSES)))
        images.append(film if answer == 0 else plant(film, CLASSES[answer], str(rng.choice(STRENGTHS)), rng))
        answers.append(answer)
    return films_to_tensor(images), torch.tensor(answers)


def restyled(film: np.ndarray, rng: Rng) -> np.ndarray:
    """The same film of another body on another machine, (H, W) uint8; still a good film."""
    if rng.random() < 0.15:
        return film
    film = _warped(film.astype(np.float32), rng)
    film = 255 * (np.clip(film, 0, 255) / 255) ** np.exp(rng.uniform(-0.6, 0.5))
    if rng.random() < 0.5:
        film = cv2.GaussianBlur(film, (0, 0), rng.uniform(0.3, 0.75))
    film = film + _shade(film.shape, 3, rng) * rng.uniform(0, 18) + _shade(film.shape, 20, rng) * rng.uniform(0, 6)
    low = rng.uniform(0, 45) if rng.random() < 0.5 else 0
    high = rng.uniform(205, 255)
    film = low + film * (high - low) / 255 + rng.normal(0, rng.uniform(0, 5), film.shape)
    return _marked(np.clip(_collimated(film, rng), 0, 255).astype(np.uint8), rng)


def _warped(film: np.ndarray, rng: Rng) -> np.ndarray:
    """Turned by at most 6 degrees, zoomed, shifted, and bent smoothly."""
    size = film.shape[0]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-6, 6), 1.0)
    turn[:, :2] *= np.array([[1 / rng.uniform(0.9, 1.18)], [1 / rng.uniform(0.9, 1.18)]])
    turn[:, 2] = size / 2 - turn[:, :2] @ np.full(2, size / 2) + rng.uniform(-0.06, 0.06, 2) * size
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bend = [_shade(film.shape, 4, rng) * rng.uniform(0, 0.025) * size for _ in range(2)]
    across = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] + bend[0]
    down = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] + bend[1]
    return cv2.remap(film, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip


def _shade(shape: tuple[int, ...], cells: int, rng: Rng) -> np.ndarray:
    return cv2.resize(rng.standard_normal((cells, cells)).astype(np.float32), shape[::-1], None, 0, 0, cv2.INTER_CUBIC)


def _collimated(film: np.ndarray, rng: Rng) -> np.ndarray:
    size = film.shape[0]
    for side in range(4):
        if rng.random() < 0.25:
            film = np.rot90(film, side).copy()
            film[: int(rng.integers(1, size // 22))] = rng.choice([0.0, 2.0, 250.0], p=[0.4, 0.4, 0.2])
            film = np.rot90(film, -side)
    return np.ascontiguousarray(film)


def _marked(film: np.ndarray, rng: Rng) -> np.ndarray:
    """With a side marker, as films have them: at most four letters near an upper corner."""
    if rng.random() < 0.4:
        return film
    size, text = film.shape[0], str(rng.choice(["L", "R", "AP", "PA L", "PORT"]))
    across = rng.uniform(0.02, 0.15) if rng.random() < 0.5 else rng.uniform(0.75, 0.92)
    place = (int(size * across), int(size * rng.uniform(0.05, 0.3)))
    return cv2.putText(film, text, place, cv2.FONT_HERSHEY_SIMPLEX, size / 128 * rng.uniform(0.16, 0.3),
                       float(rng.uniform(200, 255)), 1, cv2.LINE_AA)  # fmt: skip


def bad_films(films: np.ndarray, rng: Rng, each: int = 8) -> list[np.ndarray]:
    """`each` films of every planted defect of the network and every strength: the default bad bank."""
    return [
        plant(films[rng.integers(0, len(films))], kind, strength, rng)
        for kind in CLASSES[1:]
        for strength in STRENGTHS
        for _ in range(each)
    ]


def main() -> None:
    """Train, fill the bank, calibrate the ensemble; write it all under ``assets/judges``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=2000, help="films to learn from")
    parser.add_argument("--held", type=int, default=1000, help="further films that only calibrate")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--cache", type=Path, default=Path(".synthcxr") / "train")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    args = parser.parse_args()
    torch.set_num_threads(1)
    archive = load_films(HOSPITAL_A, 7, args.films + args.held, args.cache, workers=1)
    sound = np.array([defect is None for defect in archive.defects])
    lessons = archive.images[: args.films][sound[: args.films]]
    held = list(archive.images[args.films :][sound[args.films :]])
    net = train(lessons, Run(Schedule(args.steps, 3e-3), args.cache / "defects.pt"))
    save_defect_net(net, args.out, {"films": len(lessons), "steps": args.steps, "seed": SEED})
    bank = make_bank(FilmEncoder(args.out), bad_films(lessons, np.random.default_rng(SEED)), held[::2])
    save_bank(bank, args.out / bad_bank.FILE)
    options = {
        "film_defects": {"folder": args.out},
        "bad_bank": {"bank": args.out / bad_bank.FILE, "folder": args.out},
    }
    scores = {gate.name: score_films(gate, held[1::2]) for gate in ensemble.members(ensemble.MEMBERS, options)}
    ensemble.save_calibration(ensemble.calibrate(scores), args.out / ensemble.FILE)


if __name__ == "__main__":
    main()
