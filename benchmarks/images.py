"""Films per second: the image stage with all its gates against the bare diffusers pipeline.

    python benchmarks/images.py [--films 48] [--rounds 3]

Same prompts, same seeds, same batch size, turn by turn. ``ratio`` is the stage's throughput over the pipeline's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median

from planned import image_gates, local_recipe, planned_reports, seed_of

from models import registry
from models.diffusion.pipeline import DiffusersImageGenerator
from storage.records import ReportRow
from tasks.images.draw import draw_images


def run_bare(generator: DiffusersImageGenerator, rows: Sequence[ReportRow], batch: int) -> float:
    """Seconds per film of the pipeline itself."""
    import torch

    started = time.perf_counter()
    for at in range(0, len(rows), batch):
        part = rows[at : at + batch]
        with torch.inference_mode():
            generator.pipeline(
                [row.impression for row in part],
                num_inference_steps=generator.steps,
                guidance_scale=generator.guidance,
                generator=[torch.Generator("cpu").manual_seed(seed_of(row.sample_id, 0)) for row in part],
                output_type="np",
            )
    return (time.perf_counter() - started) / len(rows)


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--films", type=int, default=48)
    ask.add_argument("--rounds", type=int, default=3)
    told = ask.parse_args()
    recipe = local_recipe()
    batch, gates = recipe.images.batch, image_gates(recipe)
    generator = registry.build(registry.IMAGE_GENERATORS, "diffusers", recipe.images.generator.options)
    rows = planned_reports(recipe, told.films)
    run_bare(generator, rows[:batch], batch)
    draw_images(rows[:batch], generator, gates, attempts=1, batch=batch, seed_of=seed_of)
    bare, stage = [], []
    for number in range(told.rounds):
        bare.append(run_bare(generator, rows, batch))
        done = draw_images(rows, generator, gates, attempts=1, batch=batch, seed_of=seed_of)
        stage.append(done.stats["seconds"] / done.stats["films"])
        print(
            f"round {number + 1}: pipeline {1 / bare[-1]:.2f} films/s, stage {1 / stage[-1]:.2f} films/s", flush=True
        )
    ratios = [one / other for one, other in zip(bare, stage, strict=True)]
    print(f"image stage over bare pipeline: ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
