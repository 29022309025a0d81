"""Does the memorisation gate find what a generator really learnt by heart?

    python benchmarks/canaries.py [--minutes 4 12] [--repeats 1 8 64] [--films 300]

Trains the shipped denoiser further on a small archive of hospital A that nothing has seen, in which some films, the
canaries, come again and again. Lots decide which film is a canary and how often it comes, or that it is held out,
among films whose reports are worded least like any other's: these groups differ in repetition alone. Then the shipped
generator and each training draw films for the prompts of every group; the gate scores them, and so does a stricter
comparison that shares no code with it. Writes ``docs/privacy.md`` and ``docs/images/canaries.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from planned import local_recipe
from privacy import redrawn
from repeated import HELD_OUT, ORDINARY, SEED, Archive, make_archive, sound_films

from benchmarks.noise_gap import noise_gaps
from benchmarks.strict_copies import TILES, StrictCopies
from models.contracts import ImageRequest
from models.diffusion.options import DiffusersOptions
from models.diffusion.pipeline import DiffusersImageGenerator
from models.encoders.classifier_features import ClassifierFeatureEncoder
from models.gates.training_index import TrainingSetIndex
from tasks.evaluate.metrics.ranking import auroc
from tasks.privacy.canaries import CanaryFigures
from tasks.privacy.index import index_and_measure

ROOT = Path(__file__).parents[1]
UNSEEN, RATE = 400, 6e-4
HEADER = (
    "| group | films | true copies | flagged | flagged of the copies | let through of the rest | same verdict | own | "
    "agreement | noise gap | AUROC | AUROC of its change |\n|---|" + "--:|" * 11
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one generator drew for the prompts of `rows` (p,), films (p, k, H, W), and what it is taken for, (p, k).

    `gaps` are noise gaps, `alike` is what the gate goes by and `flagged` its verdict, `copied` the strict one;
    `nearest` is the row of the archive, held-out films included, that agrees most in its worst tile, and `agreement`
    how far.
    """

    rows: np.ndarray
    films: np.ndarray
    gaps: np.ndarray
    alike: np.ndarray
    flagged: np.ndarray
    copied: np.ndarray
    nearest: np.ndarray
    agreement: np.ndarray


class Keeping(DiffusersImageGenerator):
    """Keeps the films that are drawn while the noise gap is measured."""

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        """See the class."""
        films = super().generate(requests)
        self.kept: list[np.ndarray] = [*getattr(self, "kept", []), *films]
        return films


@dataclass(frozen=True, slots=True)
class CopyDetectors:
    """The gate as it stands, and the comparison that measures it."""

    index: TrainingSetIndex
    encoder: ClassifierFeatureEncoder
    strict: StrictCopies

    def look(self, generator: Keeping, archive: Archive, seeds: int) -> Seen:
        """Draw `seeds` films for every group's prompts and compare them."""
        rows = np.concatenate(list(archive.groups.values()))
        asked = [ImageRequest(f"{row}-{seed}", archive.texts[row], 100_000 * seed + row) for row in rows.tolist()
                 for seed in range(seeds)]  # fmt: skip
        gaps = noise_gaps(generator, asked)
        alike = np.array([near.correlation for near in self.index.nearest(generator.kept, self.encoder)])
        films = np.stack(generator.kept)
        agreement = self.strict.agreement(films)
        copied = agreement[:, archive.often > 0].max(1) > self.strict.limit
        found = (films, gaps, alike, alike >= self.index.limit, copied, agreement.argmax(1), agreement.max(1))
        return Seen(rows, *(each.reshape(len(rows), seeds, *each.shape[1:]) for each in found))


def tune(generator: DiffusersImageGenerator, archive: Archive, minutes: float, cache: Path) -> float:
    """Train the denoiser further, everything else frozen; how many times a film that comes once was shown."""
    import torch

    from models.build.autoencoder import encode
    from models.build.denoiser import BATCH, DescribedLatents, train_denoiser
    from models.build.fit import Run
    from models.build.text_tower import read
    from models.training.schedule import Schedule
    from models.training.state import steps_done

    parts, kept = generator.pipeline, np.flatnonzero(archive.often)
    states = read(parts.text_encoder, parts.tokenizer, ["", *(archive.texts[row] for row in kept)])
    wordings, often = torch.arange(1, len(kept) + 1)[:, None], archive.often[kept]
    path = cache / f"canaries-{len(kept)}-{often.sum()}-{minutes:g}.pt"
    latents, chances = encode(parts.vae, archive.films[kept]), torch.from_numpy(often).float()
    data = DescribedLatents(latents, states, wordings, states[0], chances)
    train_denoiser(data, Run(Schedule(1_000_000, RATE, minutes), path), start=parts.unet)
    return steps_done(path) * BATCH / often.sum()


def lines(seen: Seen, shipped: Seen, archive: Archive) -> list[str]:
    """One table row per group and one for all, and what another limit would do."""
    gaps, table = seen.gaps.mean(1), [HEADER]
    change = gaps / shipped.gaps.mean(1)
    quiet = np.isin(seen.rows, archive.groups[HELD_OUT])
    for name, members in {**archive.groups, "all": seen.rows}.items():
        at = np.isin(seen.rows, members)
        flagged, copied, share = seen.flagged[at], seen.copied[at], seen.flagged[at].mean(1)
        areas = ["", ""] if name in (HELD_OUT, "all") else [_area(each[at], each[quiet]) for each in (gaps, change)]
        table.append(
            f"| {name} | {flagged.size} | {copied.sum()} | {flagged.sum()} | {_share(flagged, copied)} | "
            f"{_share(~flagged, ~copied)} | {np.maximum(share, 1 - share).mean():.3f} | "
            f"{(seen.nearest[at] == seen.rows[at, None]).mean():.3f} | {np.median(seen.agreement[at]):.3f} | "
            f"{np.median(gaps[at]):.4f} | {' | '.join(areas)} |"
        )
    limit = float(np.quantile(shipped.alike, 0.99))
    lower, others = seen.alike >= limit, seen.copied & (seen.nearest != seen.rows[:, None])
    if seen.copied.any() and not seen.copied.all():
        table += ["", f"{others.sum()} of the {seen.copied.sum()} true copies are of another film than the prompt's "
                  f"own; {(others & seen.flagged).sum()} of these are flagged. The gate's score tells copies from "
                  f"the rest with an AUROC of {_area(seen.alike[seen.copied], seen.alike[~seen.copied])}; a limit of "
                  f"{limit:.3f}, above which 1 in 100 films of the generator as shipped lie, would find "
                  f"{_share(lower, seen.copied)} and let through {_share(~lower, ~seen.copied)}."]  # fmt: skip
    return [*table, ""]


def _area(more: np.ndarray, less: np.ndarray) -> str:
    return f"{auroc(np.concatenate([more, less]), np.repeat([1, 0], [len(more), len(less)])):.2f}"


def _share(part: np.ndarray, whole: np.ndarray) -> str:
    return f"{(part & whole).sum() / whole.sum():.3f}" if whole.any() else "none"


def written(archive: Archive, detectors: CopyDetectors, figures: CanaryFigures, control: np.ndarray) -> str:
    """What was trained and how both detectors score, as Markdown."""
    facts = "; ".join(f"{name} {value:.3f}" for name, value in list(figures.statistics().items())[1:])
    return f"""# Canaries of a trained generator

Made by `python benchmarks/canaries.py`.

The shipped generator's denoiser is trained further on {(archive.often > 0).sum()} films of hospital A that are new
to it; with their repetitions that makes {archive.often.sum()}. Lots decide which films are canaries, how often they
come, and which are {HELD_OUT} (neither film nor report is trained on), among films whose reports share at most
{archive.alike:.0%} of their words with any other. {ORDINARY.capitalize()} films are of the rest. Autoencoder
and text tower stay as they are; films with planted defects are left out.

**The gate** indexes the films trained on, as `synth privacy index` does, and flags fine structure that agrees
from {detectors.index.limit:.3f}, set for 1 in 100 of unseen films. By planted copies: {facts}.

**A true copy** agrees with one film trained on by more than {detectors.strict.limit:.3f} in the worst of {TILES} x
{TILES} tiles, film on film without alignment: more than any two different films. Of the archive's films with a little
noise between the generator's encoder and decoder {(control > detectors.strict.limit).mean():.1%} count as copies
(least {control.min():.3f}, median {np.median(control):.3f}).

- *same verdict*: mean share of a prompt's films that the gate decides as it does most of them;
- *own*: share of films that agree most, of all films and the held-out ones too, with the very film that their prompt
  was written for; held-out prompts show how often that is so without training;
- *agreement*: median of the worst tile with that nearest film;
- *noise gap*: median of d_mem, the mean over a prompt's seeds; its AUROC against held-out prompts, and that of its
  ratio to the gap of the generator as shipped, which saw none of these films and so tells what the prompts do.

Films of one prompt are much alike, so that shares rest on {len(archive.groups[HELD_OUT])} held-out prompts, as many
ordinary ones and half as many canaries a group. How often a film is shown in so many minutes depends on the machine.

![By group the prompt with most copies: its film, four drawn, the nearest to the first](images/canaries.png)

"""


def picture(seen: Seen, archive: Archive, path: Path) -> None:
    """Of each group the prompt with most copies: its own film, what was drawn, and the film nearest to the first."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    groups, shown = [name for name in archive.groups if name != ORDINARY], min(4, seen.films.shape[1])
    size = (1.3 * (shown + 2), 1.5 * len(groups))
    figure, axes = plt.subplots(len(groups), shown + 2, figsize=size, layout="constrained")
    for line, name in zip(axes, groups, strict=True):
        at = int(np.where(np.isin(seen.rows, archive.groups[name]), seen.copied.sum(1), -1).argmax())
        films = [archive.films[seen.rows[at]], *seen.films[at, :shown], archive.films[seen.nearest[at, 0]]]
        verdicts = zip(seen.copied[at, :shown], seen.flagged[at, :shown], strict=True)
        marks = [f"{'copy' if copied else 'new'}, {'flagged' if flag else 'passed'}" for copied, flag in verdicts]
        for axis, film, title in zip(line, films, [name, *marks, "nearest to the first"], strict=True):
            axis.imshow(film, cmap="gray", vmin=0, vmax=255)
            axis.set_title(title, fontsize=7)
            axis.axis("off")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Train, draw, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[4, 12], help="of each training")
    parser.add_argument("--repeats", type=int, nargs="+", default=[1, 8, 64], help="of the canaries, a group each")
    parser.add_argument("--films", type=int, default=300)
    parser.add_argument("--each", type=int, default=8, help="canaries a group")
    parser.add_argument("--seeds", type=int, default=8, help="films a prompt")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--cache", type=Path, default=ROOT / ".synthcxr" / "cache", help="where trainings go on from")
    args = parser.parse_args()
    films = sound_films(args.films + UNSEEN)
    archive = make_archive(films[: args.films], args.repeats, args.each)
    unseen = [(f"unseen-{at}", film.image) for at, film in enumerate(films[args.films :])]
    kept = ((f"row-{row}", archive.films[row]) for row in np.flatnonzero(archive.often))
    encoder, options = ClassifierFeatureEncoder(), local_recipe().images.generator.options
    index, figures = index_and_measure(kept, unseen, encoder, canaries=20)
    detectors = CopyDetectors(index, encoder, StrictCopies(archive.films, np.stack([film for _, film in unseen])))
    copy, rng = redrawn(Keeping(DiffusersOptions(**options))), np.random.default_rng(SEED)
    control = np.diag(detectors.strict.agreement(np.stack([copy(film, rng) for film in archive.films])))
    page = written(archive, detectors, figures, control)
    print(page, flush=True)
    shipped: Seen | None = None
    for minutes in (0, *args.minutes):
        started, generator = time.perf_counter(), Keeping(DiffusersOptions(**options))
        shown = tune(generator, archive, minutes, args.cache) if minutes else 0
        seen = detectors.look(generator, archive, args.seeds)
        shipped = shipped or seen
        title = f"{minutes:g} minutes: a film that comes once was shown {shown:.0f} times" if minutes else "As shipped"
        part = "\n".join([f"## {title}", "", *lines(seen, shipped, archive)])
        print(part, f"{time.perf_counter() - started:.0f} s", flush=True)
        page += f"{part}\n"
        (args.docs / "images").mkdir(parents=True, exist_ok=True)
        (args.docs / "privacy.md").write_text(page.rstrip() + "\n")
        picture(seen, archive, args.docs / "images" / "canaries.png")


if __name__ == "__main__":
    main()
