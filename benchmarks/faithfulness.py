"""Do generated films carry what their prompts say? An examiner that no gate uses looks at accepted films.

    python benchmarks/faithfulness.py [--films 560] [--sheet docs/images/generated.png]

Prints, per finding, the AUROC of both classifiers on hospital B (what they are worth) and of the examiner on
generated films against the findings of their prompts, with the acceptance rate on the way.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from planned import image_gates, local_recipe, planned_reports, seed_of

from models import registry
from models.build.classifiers import label_auroc
from models.nets.classifier import load_classifier, logits
from models.phantom.archive import render_many
from models.phantom.hospital import HOSPITAL_B
from models.phantom.vocabulary import LABELS
from storage.png import decode_png
from storage.records import PairRow
from tasks.generate.images import ImageBatch, ImageOptions, draw_images

TILE, COLUMNS, LINE = 192, 6, 13
Sample = tuple[PairRow, bytes]


def main() -> None:
    """Measure, print, and draw a contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=560)
    parser.add_argument("--real", type=int, default=600, help="films of hospital B")
    parser.add_argument("--kind", default="diffusers", help="renderer gives the upper bound")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="options of the generator")
    parser.add_argument("--sheet", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "generated.png")
    args = parser.parse_args()
    recipe = local_recipe()
    options = dict(recipe.images.generator.options) if args.kind == "diffusers" else {}
    options |= {key: _value(value) for key, value in (pair.split("=", 1) for pair in args.set)}
    generator = registry.build(registry.IMAGE_GENERATORS, args.kind, options)
    started = time.perf_counter()
    batch = draw_images(
        planned_reports(recipe, args.films),
        generator,
        image_gates(recipe),
        ImageOptions(attempts=recipe.images.attempts, batch=recipe.images.batch, seed_of=seed_of),
        _progress,
    )
    _print_yield(batch, args.films, time.perf_counter() - started)
    _print_auroc(batch.samples, args.real)
    if args.sheet and batch.samples:
        args.sheet.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(args.sheet), contact_sheet(batch.samples[: 4 * COLUMNS]))
        print(f"contact sheet: {args.sheet}")


def _value(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _progress(done: int, of: int) -> None:
    print(f"\r{done}/{of} films settled", end="", flush=True)


def _print_yield(batch: ImageBatch, asked: int, seconds: float) -> None:
    first = sum(row.image_attempts == 1 for row, _ in batch.samples)
    gates = Counter(reject.gate for reject in batch.rejects)
    print(
        f"\naccepted {len(batch.samples)} of {asked} ({len(batch.samples) / asked:.1%}; {first / asked:.1%} at the "
        f"first attempt), {batch.stats['films'] / seconds:.2f} films/s; rejected by gate: {dict(gates)}"
    )


def _print_auroc(samples: list[Sample], real: int) -> None:
    films, labels, _ = render_many(HOSPITAL_B, 11, range(real))
    columns = {}
    for name in ("agreement", "examiner"):
        net, _ = load_classifier(name)
        columns[f"{name} on B"] = label_auroc(logits(net, films), labels)
    drawn = np.stack([decode_png(data) for _, data in samples])
    asked = np.array([[row.labels.get(label, 0) for label in LABELS] for row, _ in samples])
    columns["examiner, generated"] = label_auroc(logits(load_classifier("examiner")[0], drawn), asked)
    print(f"{'':26}" + "".join(f"{name:>22}" for name in columns) + f"{'generated films':>18}")
    for place, label in enumerate((*LABELS, "macro")):
        shown = "".join(f"{column.get(label, float('nan')):22.3f}" for column in columns.values())
        count = asked[:, place].sum() if label in LABELS else len(samples)
        print(f"{label:26}{shown}{count:18d}")


def contact_sheet(samples: list[Sample]) -> np.ndarray:
    """Films in rows with their prompts beneath, (height, width) uint8."""
    tiles = [_tile(row.impression, decode_png(data)) for row, data in samples]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)])


def _tile(text: str, film: np.ndarray) -> np.ndarray:
    tile = np.full((TILE + 4 * LINE + 6, TILE + 6), 255, np.uint8)
    tile[:TILE, :TILE] = cv2.resize(film, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > 31:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    for number, line in enumerate(lines[:4], 1):
        cv2.putText(tile, line, (1, TILE + number * LINE), cv2.FONT_HERSHEY_SIMPLEX, 0.34, 0, 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    main()
