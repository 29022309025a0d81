"""How well copies of training films are noticed, and whether the shipped generator draws any.

    python benchmarks/privacy.py [--archive 3000] [--generated 48]

Plants exact and near copies of hospital A's films, among them copies that went through the generator's own
autoencoder, before an index of the archive: sensitivity by kind, specificity on unseen films, seed consistency.
Then draws films with the shipped generator, three seeds a prompt, and compares them with the archive, and takes
the text-conditional noise gap on prompts of the archive and on prompts that it does not hold.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from planned import local_recipe, planned_reports

from benchmarks.noise_gap import noise_gaps
from models import registry
from models.contracts import ImageRequest
from models.diffusion.pipeline import DiffusersImageGenerator
from models.encoders.classifier_features import ClassifierFeatureEncoder
from models.gates.training_index import TrainingSetIndex
from models.phantom.archive import render_many
from models.phantom.hospital import HOSPITAL_A
from tasks.privacy.archive import archive_films
from tasks.privacy.canaries import KINDS, CanaryFigures, plant
from tasks.privacy.index import clear, index_and_measure

TRAINED = 20_000
SEEDS = 3


def redrawn(generator: DiffusersImageGenerator) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """A copy as a generator that remembers would make it: through its autoencoder, with a little noise between."""
    import torch

    vae = generator.pipeline.vae

    def copy(film: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        grey = torch.from_numpy(film).float()[None, None] / 127.5 - 1
        with torch.inference_mode():
            latent = vae.encode(grey.expand(1, vae.config.in_channels, *film.shape)).latent_dist.mean
            noise = torch.from_numpy(rng.normal(size=tuple(latent.shape))).float()
            drawn = vae.decode(latent + 0.05 * latent.std() * noise).sample.mean(1)[0]
        return ((drawn.clamp(-1, 1) + 1) * 127.5).round().numpy().astype(np.uint8)

    return copy


def show(figures: CanaryFigures) -> None:
    """Print one line a kind."""
    for kind in figures.kinds:
        interval = f"{kind.low:.3f} to {kind.high:.3f}"
        print(f"  {kind.kind:<12} found {kind.sensitivity:.3f} ({interval}) of {kind.planted}, "
              f"same verdict under every seed {kind.consistent:.3f}")  # fmt: skip
    print(
        f"  specificity {figures.specificity:.3f} ({figures.low:.3f} to {figures.high:.3f}) on {figures.unseen} films"
    )


def generated(
    generator: DiffusersImageGenerator, index: TrainingSetIndex, encoder: ClassifierFeatureEncoder, count: int
) -> None:
    """Compare drawn films with the archive."""
    rows = planned_reports(local_recipe(), max(1, count // SEEDS))
    asked = [ImageRequest(row.sample_id, row.impression, 1000 * seed + n) for n, row in enumerate(rows)
             for seed in range(SEEDS)]  # fmt: skip
    near = index.nearest(generator.generate(asked), encoder)
    flags = np.array([n.correlation >= index.limit for n in near]).reshape(-1, SEEDS)
    highest = np.quantile([n.correlation for n in near], [0.5, 0.95, 1])
    print(f"{len(near)} generated films: {flags.sum()} flagged, {flags.all(1).sum()} prompts under all {SEEDS} seeds")
    print(f"  fine structure with the nearest: median {highest[0]:.3f}, 95 % {highest[1]:.3f}, most {highest[2]:.3f}, "
          f"limit {index.limit:.3f}")  # fmt: skip


def gaps(generator: DiffusersImageGenerator, count: int) -> None:
    """The noise gap on prompts of the archive and on those of films never rendered for it."""
    sets = {"trained on": range(count), "never seen": range(TRAINED, TRAINED + count)}
    for name, rows in sets.items():
        prompts = render_many(HOSPITAL_A, 7, rows, workers=1)[2]
        found = noise_gaps(generator, [ImageRequest(f"s{n}", text, n) for n, text in enumerate(prompts)])
        print(f"noise gap, {count} prompts {name}: median {np.median(found):.4f}, most {found.max():.4f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=int, default=3000, help="films of the archive to index")
    parser.add_argument("--unseen", type=int, default=400)
    parser.add_argument("--canaries", type=int, default=40)
    parser.add_argument("--generated", type=int, default=48)
    args = parser.parse_args()
    encoder, started = ClassifierFeatureEncoder(), time.perf_counter()
    generator = registry.build(registry.IMAGE_GENERATORS, "diffusers", local_recipe().images.generator.options)
    unseen = list(archive_films(f"phantom:a/7/{TRAINED}-{TRAINED + args.unseen}"))
    archive = archive_films(f"phantom:a/7/{args.archive}")
    index, figures = index_and_measure(archive, unseen, encoder, canaries=args.canaries)
    print(f"{len(index)} archive films indexed and tried in {time.perf_counter() - started:.0f} s")
    show(figures)
    originals = [film for _, film in archive_films(f"phantom:a/7/{2 * args.canaries}") if clear(film)]
    show(plant(index, encoder, originals[: args.canaries], [film for _, film in unseen[1::2]],
               kinds={"exact": KINDS["exact"], "redrawn": redrawn(generator)}, seeds=SEEDS))  # fmt: skip
    films = [film for _, film in unseen[:64]]
    started = time.perf_counter()
    index.nearest(films, encoder)
    print(f"the gate looks at {len(films) / (time.perf_counter() - started):.1f} films/s")
    generated(generator, index, encoder, args.generated)
    gaps(generator, min(24, args.generated))


if __name__ == "__main__":
    main()
