"""How near generated films are to real ones, under a named encoder.

    python benchmarks/fidelity.py [--films 160] [--encoder microsoft/rad-dino] [--real FOLDER]
    python benchmarks/fidelity.py --dataset NAME/VERSION --root STORE

Compares films of the shipped generator, or of a published version, with hospital A's sound films, overall and by
finding. Every figure stands beside its floor: other films of hospital A in the same number. Small samples raise FID,
so only the difference from the floor tells anything. Overall figures also see that plans balance what an archive has
in a long tail; those of a finding do so less. With ``--real``, both are compared with a folder's films, too.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from planned import local_recipe, planned_reports, seed_of

from models import registry
from models.contracts import Encoder, ImageRequest
from models.encoders.image import OURS, open_encoder
from models.judges.bank import read_films
from models.phantom.archive import render_many
from models.phantom.case import draw_case
from models.phantom.hospital import HOSPITAL_A
from models.phantom.vocabulary import LABELS
from storage.layout import DatasetRef
from storage.objects import open_store
from storage.png import decode_png
from storage.shards import read_samples
from storage.versions import open_dataset, tar_keys
from tasks.evaluate.fidelity import Fidelity, fidelity, fidelity_by_finding, likeness
from tasks.images.draw import labels_of, read_mentions

SEED = 4242  # of the archive that no judge and no generator has learnt from
NAMES = {OURS: "phantom-defects"}


@dataclass(frozen=True, slots=True)
class Films:
    """Films (n, H, W) uint8 and what is known of them, (n, len(LABELS))."""

    images: list[np.ndarray]
    labels: np.ndarray

    def __getitem__(self, part: slice) -> Films:
        return replace(self, images=self.images[part], labels=self.labels[part])

    def features(self, encoder: Encoder) -> np.ndarray:
        """Embeddings of mean square 1: at unit length KID's kernel, which adds 1 to a product, would see little."""
        rows = encoder.embed(self.images)
        return rows * np.float32(rows.shape[1] ** 0.5)


def archive(count: int) -> Films:
    """Sound films of hospital A."""
    sound = (index for index in itertools.count() if draw_case(HOSPITAL_A, SEED, index).defect is None)
    images, labels, _ = render_many(HOSPITAL_A, SEED, list(itertools.islice(sound, count)))
    return Films(list(images), labels)


def drawn(count: int, pairs: int) -> tuple[Films, np.ndarray]:
    """Films of the shipped generator by the local profile, ungated, and the first `pairs` prompts with other seeds."""
    recipe = local_recipe()
    generator = registry.build(registry.IMAGE_GENERATORS, "diffusers", recipe.images.generator.options)
    rows = planned_reports(recipe, count)
    first, again = (
        generator.generate([ImageRequest(r.sample_id, r.impression, seed_of(r.sample_id, at)) for r in part])
        for at, part in enumerate((rows, rows[:pairs]))
    )
    asked = [labels_of(read_mentions(row)) for row in rows]
    labels = np.array([[known.get(label, 0) for label in LABELS] for known in asked])
    return Films(first, labels), likeness(np.stack(first[:pairs]), np.stack(again))


def published(name: str, root: str, count: int) -> Films:
    """The first films of a published version."""
    ref, store = DatasetRef(*name.split("/", 1)), open_store(root)
    samples = read_samples(store, tar_keys(ref, open_dataset(store, ref)))
    taken = [sample for sample, _ in zip(samples, range(count), strict=False)]
    labels = [[sample.json["labels"].get(label, 0) for label in LABELS] for sample in taken]
    return Films([decode_png(sample.png) for sample in taken], np.array(labels))


def table(rows: Sequence[tuple[str, Fidelity | None]]) -> str:
    """Figures in columns."""
    lines = [f"{'':34}{'n':>11}{'FID':>8}{'KID':>16}{'prec.':>7}{'recall':>7}{'dens.':>7}{'cover.':>7}"]
    for name, it in rows:
        if it is None:
            lines.append(f"{name:34}  too few films")
            continue
        kid = f"{it.kid:.3f} ± {it.kid_spread:.3f}"
        lines.append(
            f"{name:34}{f'{it.real}/{it.made}':>11}{it.fid:8.2f}{kid:>16}{it.precision:7.2f}{it.recall:7.2f}"
            f"{it.density:7.2f}{it.coverage:7.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--films", type=int, default=160, help="on each side")
    ask.add_argument("--archive", type=int, default=1200, help="films of hospital A: half to compare with, half floor")
    ask.add_argument("--pairs", type=int, default=16, help="prompts that are drawn with two seeds")
    ask.add_argument("--dataset", help="NAME/VERSION of a published version, instead of drawing")
    ask.add_argument("--root", default=".", help="store of --dataset")
    ask.add_argument("--encoder", default=OURS, help="film (ours), or a folder or hub id such as microsoft/rad-dino")
    ask.add_argument("--real", type=Path, help="a folder of real films to compare with as well")
    told = ask.parse_args()
    encoder = open_encoder(told.encoder)
    made, seeds = (published(told.dataset, told.root, told.films), None) if told.dataset else drawn(
        told.films, told.pairs
    )  # fmt: skip
    count, half = len(made.images), max(told.archive // 2, len(made.images))
    both = archive(2 * half)
    real, other = both[:half], both[half:]
    one, two, three = (films.features(encoder) for films in (real, other, made))
    print(f"encoder {NAMES.get(told.encoder, told.encoder)} ({encoder.revision}), {one.shape[1]} features")
    rows: list[tuple[str, Fidelity | None]] = [
        ("hospital A / A, the floor", fidelity(one[:count], two[:count])),
        ("hospital A / generated", fidelity(one[:count], three)),
    ]  # fmt: skip
    if told.real:
        foreign = Films(read_films(told.real)[:count], np.zeros((0, 0))).features(encoder)
        middle = len(foreign) // 2
        rows += [
            ("folder / folder, the floor", fidelity(foreign[:middle], foreign[middle:])),
            ("folder / hospital A", fidelity(foreign, two[:count])), ("folder / generated", fidelity(foreign, three)),
        ]  # fmt: skip
    as_many = other.labels * (other.labels.cumsum(0) <= made.labels.sum(0))  # as were generated with each finding
    floors = fidelity_by_finding(one, real.labels, two, as_many, LABELS)
    for label, found in fidelity_by_finding(one, real.labels, three, made.labels, LABELS).items():
        rows += [(f"{label}, the floor", floors[label]), (f"{label}, generated", found)]
    print(table(rows))
    print(
        "n is real/generated; FID is nan where a side has no more films than features, and biased upwards in all rows"
    )
    if seeds is not None and len(seeds):
        alike = likeness(np.stack(real.images[: len(seeds)]), np.stack(other.images[: len(seeds)]))
        print(f"MS-SSIM: two seeds of one prompt {seeds.mean():.3f}, two films of hospital A {alike.mean():.3f}; "
              f"{len(seeds)} pairs each")  # fmt: skip


if __name__ == "__main__":
    main()
