"""Which planted defects do the film judges find? Twenty kinds at three strengths, on phantom and on real films.

    python benchmarks/defects.py [--films 30] [--real ../shared/data/nih_mini] [--generated FOLDER]

Thresholds are those under which 1 % and 5 % of good films of the same domain lie; those films are others than the
ones that are spoilt, and no judge has learnt from either. Real films are few: their two halves change sides once, and
the figures are the mean. Writes ``docs/defects.md`` and ``docs/images/defects.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.build.planted_defects import PLANTED, STRENGTHS, plant
from models.contracts import Candidate, Gate
from models.gates import ensemble
from models.gates.calibration import threshold_at
from models.gates.ensemble import MEMBERS, calibrate, members
from models.gates.film import bad_bank as bank
from models.nets.shipped import SHIPPED
from models.phantom.archive import films as phantom_films
from models.phantom.hospital import HOSPITAL_A

ROOT = Path(__file__).parents[1]
RATES = (0.01, 0.05)
SEED = 4242  # of the archive that nothing was trained or calibrated on
BARS = {"phantom": 0.97, "real": 0.85}
ABOUT = """\
Made by `python benchmarks/defects.py --generated FOLDER`; the folder holds the accepted films of a version of
the local profile. Shares of spoilt films that were found. The judge `film_defects` learnt these kinds on
phantom films, so phantom and generated films are its home ground, and real films are not; the lateral is the
phantom's drawing everywhere. Generated films are judged by what is usual among them: a flaw that all of them
have is not found."""
JUDGES = (*MEMBERS, "ensemble")


@dataclass(frozen=True, slots=True)
class Domain:
    """Good films of one kind, in `folds` of films to calibrate on and others to spoil."""

    name: str
    folds: tuple[tuple[list[np.ndarray], list[np.ndarray]], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a domain.

    `hits` (rates, kinds, strengths, judges) and `false` (rates, judges) are shares, `cost` (judges,) is
    processor milliseconds per film.
    """

    domain: Domain
    hits: np.ndarray
    false: np.ndarray
    cost: np.ndarray

    def bar(self) -> float:
        """Mean detection by the ensemble at 5 % and the strongest level."""
        return float(self.hits[1, :, -1, -1].mean())


def phantom_domain(count: int) -> Domain:
    """Sound films of hospital A from a seed of their own."""
    sound = [film.image for film in phantom_films(HOSPITAL_A, SEED, range(600)) if film.defect is None]
    return Domain("phantom", ((sound[: -2 * count], sound[-2 * count :]),))


def real_domain(folder: Path) -> Domain | None:
    """Films of 320 pixels, no patient on both sides; None where there are none."""
    paths = sorted((folder / "images_320").glob("*.png"))
    if not paths:
        print(f"real films: skipped, there are no PNG files under {folder / 'images_320'}")
        return None
    patients = sorted({path.name.split("_")[0] for path in paths})
    np.random.default_rng(SEED).shuffle(patients)
    calibrating = set(patients[: len(patients) // 2])
    sides: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for path in paths:
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert film is not None, path
        sides[path.name.split("_")[0] in calibrating].append(film)
    return Domain("real", ((sides[True], sides[False]), (sides[False], sides[True])))


def generated_domain(folder: Path | None) -> Domain | None:
    """Accepted films of a dataset version, unpacked into `folder`; its two halves change sides."""
    if folder is None:
        return None
    films = bank.read_films(folder)
    np.random.default_rng(SEED).shuffle(films)  # type: ignore[arg-type]
    half = len(films) // 2
    return Domain("generated", ((films[:half], films[half:]), (films[half:], films[:half])))


def scores_of(gates: Sequence[Gate], films: Sequence[np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores (n,) per gate, and the processor milliseconds per film of every gate, whatever else the machine does."""
    batch = [Candidate(str(at), (), "", "", film) for at, film in enumerate(films)]
    scores, cost = {}, []
    for gate in gates:
        started = time.process_time()
        scores[gate.name] = np.array([each.score for each in gate.score(batch)])
        cost.append(1000 * (time.process_time() - started) / len(batch))
    return scores, np.array(cost)


def measure(domain: Domain, gates: Sequence[Gate], count: int) -> Found:
    """The mean over the domain's folds, in which `count` films are spoilt together."""
    each = [_measure(domain, at, gates, count // len(domain.folds)) for at in range(len(domain.folds))]
    return Found(domain, *(np.mean([getattr(one, name) for one in each], 0) for name in ("hits", "false", "cost")))


def _measure(domain: Domain, fold: int, gates: Sequence[Gate], count: int) -> Found:
    """Calibrate on one side, spoil `count` films of the other in every way, and count what falls."""
    calibrating, test = domain.folds[fold]
    good, cost = scores_of(gates, calibrating)
    scales = calibrate(good, RATES[0])

    def table(scores: dict[str, np.ndarray]) -> np.ndarray:
        return np.column_stack([*scores.values(), scales.values(scores).min(0)])

    limits = np.array([[threshold_at(column, rate) for column in table(good).T] for rate in RATES])
    held = table(scores_of(gates, test)[0])
    rng = np.random.default_rng(SEED)
    hits = np.zeros((len(RATES), len(PLANTED), len(STRENGTHS), len(JUDGES)))
    for k, kind in enumerate(PLANTED):
        for s, strength in enumerate(STRENGTHS):
            spoilt = [plant(film, kind, strength, rng) for film in test[:count]]
            hits[:, k, s] = (table(scores_of(gates, spoilt)[0]) < limits[:, None]).mean(1)
    print(f"{domain.name} films: fold {fold + 1} of {len(domain.folds)} done", flush=True)
    return Found(domain, hits, (held < limits[:, None]).mean(1), np.append(cost, cost.sum()))


def written(found: Found, count: int) -> str:
    """Both tables of a domain as Markdown."""
    domain, hits = found.domain, found.hits
    good = " and ".join(str(len(calibrating)) for calibrating, _ in domain.folds)
    lines = [
        f"## {domain.name.capitalize()} films", "",
        f"Thresholds from {good} good films, {count} others spoilt in each way. Mean detection by the ensemble at "
        f"5 % false rejects and the strongest level: **{found.bar():.3f}**{_against_bar(found)}.", "",
        "| judge | CPU ms a film | false rejects at 1 %, 5 % | " + " | ".join(
            f"{s} at {rate:.0%}" for rate in RATES for s in STRENGTHS) + " |",
        "|---|--:|--:|" + "--:|" * (len(RATES) * len(STRENGTHS)),
    ]  # fmt: skip
    for j, judge in enumerate(JUDGES):
        means = " | ".join(f"{share:.3f}" for share in hits[:, :, :, j].mean(1).ravel())
        lines.append(f"| {judge} | {found.cost[j]:.2f} | {found.false[0, j]:.1%}, {found.false[1, j]:.1%} | {means} |")
    lines += [
        "", "| defect | " + " | ".join(f"ensemble, {s} at {rate:.0%}" for rate in RATES for s in STRENGTHS)
        + " | best single judge, strong at 5 % |", "|---|" + "--:|" * (len(RATES) * len(STRENGTHS)) + "---|",
    ]  # fmt: skip
    for k, kind in enumerate(PLANTED):
        shares = " | ".join(f"{share:.2f}" for share in hits[:, k, :, -1].ravel())
        best = int(hits[1, k, -1, :-1].argmax())
        lines.append(f"| {kind} | {shares} | {JUDGES[best]} {hits[1, k, -1, best]:.2f} |")
    return "\n".join([*lines, ""])


def _against_bar(found: Found) -> str:
    bar = BARS.get(found.domain.name)
    return "" if bar is None else f" (bar {bar:.2f}, {'reached' if found.bar() >= bar else 'missed'})"


def draw(found: Sequence[Found], path: Path) -> None:
    """One heat map per domain: every judge at the strongest level, then the ensemble at each strength."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(8.4 * len(found), 8), squeeze=False, layout="constrained")
    for axis, each in zip(axes[0], found, strict=True):
        cells = np.hstack([each.hits[1, :, -1, :-1], each.hits[1, :, :, -1]])
        axis.imshow(cells, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(cells):
            axis.text(column, row, f"{share:.2f}".removeprefix("0") if share < 1 else "1", ha="center", va="center",
                      fontsize=7, color="white" if share > 0.6 else "black")  # fmt: skip
        axis.set_xticks(range(cells.shape[1]), [*MEMBERS, *(f"ensemble, {s}" for s in STRENGTHS)], rotation=60,
                        ha="right")  # fmt: skip
        axis.set_yticks(range(len(PLANTED)), PLANTED)
        axis.axvline(len(MEMBERS) - 0.5, color="black", linewidth=1)
        axis.set_title(f"{each.domain.name} films: share found at 5 % false rejects, judges at the strongest level",
                       fontsize=10)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=30, help="films spoilt per kind and strength")
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "data" / "nih_mini")
    parser.add_argument("--generated", type=Path, help="a folder with films that an image generator drew")
    parser.add_argument("--judges", type=Path, default=SHIPPED)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    args = parser.parse_args()
    started = time.perf_counter()
    options = {
        "film_defects": {"folder": args.judges},
        "bad_bank": {"bank": args.judges / bank.FILE, "folder": args.judges},
    }
    gates = members(ensemble.MEMBERS, options)
    domains = [phantom_domain(args.films), real_domain(args.real), generated_domain(args.generated)]
    found = [measure(domain, gates, args.films) for domain in domains if domain is not None]
    tables = "\n".join(written(each, args.films) for each in found)
    print(f"{tables}\n{time.perf_counter() - started:.0f} seconds")
    args.docs.mkdir(parents=True, exist_ok=True)
    heading = f"# Planted defects\n\n{ABOUT}\n\n"
    (args.docs / "defects.md").write_text(f"{heading}{tables}")
    draw(found, args.docs / "images" / "defects.png")


if __name__ == "__main__":
    main()
