"""Films per second: the image stage with all its gates against the bare diffusers pipeline.

    python benchmarks/images.py [--films 48] [--rounds 3]
    python benchmarks/images.py --judges [--films 64] [--rounds 3]

Same prompts, seeds, steps and batch size, turn by turn. The pipeline is as diffusers itself loads it, with channels
last, which is how it is fastest on a CPU. ``ratio`` is the stage's throughput over the pipeline's; ``idle`` is the
share of the stage in which the generator did not draw. With ``--judges`` it tells how many films a second the
classical judges look at, and the whole ensemble, at two sizes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import cv2
from planned import image_gates, local_recipe, planned_reports, seed_of

from models import registry
from models.compat import torchvision_ready
from models.contracts import Candidate
from models.diffusion.pipeline import DiffusersImageGenerator
from models.gates.ensemble import MEMBERS, Ensemble, members
from models.gates.film.view import FilmBatch
from models.phantom.archive import films as phantom_films
from models.phantom.hospital import HOSPITAL_A
from storage.records import ReportRow
from tasks.generate.images import ImageOptions, draw_images

IDLE = 0.05
LEARNT = ("film_defects", "bad_bank")
CLASSICAL_BARS = {128: 300, 512: 100}  # films a second on two cores


def bare_pipeline(generator: DiffusersImageGenerator) -> Any:
    """The generator's weights in a pipeline that diffusers loads alone."""
    torchvision_ready()
    import diffusers
    import torch

    pipeline: Any = getattr(diffusers, generator.layout.index["_class_name"]).from_pretrained(
        generator.layout.folder, dtype=getattr(torch, generator.options.dtype), safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.unet, pipeline.vae):
        part.to(memory_format=torch.channels_last)
    return pipeline.to(generator.pipeline.device)


def run_bare(pipeline: Any, generator: DiffusersImageGenerator, rows: Sequence[ReportRow], batch: int) -> float:
    """Seconds per film of the pipeline itself, with the generator's settings."""
    import torch

    started = time.perf_counter()
    for at in range(0, len(rows), batch):
        part = rows[at : at + batch]
        with torch.inference_mode():
            pipeline(
                [row.impression for row in part],
                num_inference_steps=generator.options.steps,
                guidance_scale=generator.options.guidance,
                generator=[torch.Generator("cpu").manual_seed(seed_of(row.sample_id, 0)) for row in part],
                output_type="np",
            )
    return (time.perf_counter() - started) / len(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judges", action="store_true", help="measure the film judges instead")
    args = parser.parse_args()
    if args.judges:
        measure_judges(args.films, args.rounds)
    else:
        measure_stage(args.films, args.rounds)


def measure_stage(films: int, rounds: int) -> None:
    """The stage and the bare pipeline in turn."""
    recipe = local_recipe()
    batch, gates = recipe.images.batch, image_gates(recipe)
    generator = registry.build(registry.IMAGE_GENERATORS, "diffusers", recipe.images.generator.options)
    rows = planned_reports(recipe, films)
    pipeline = bare_pipeline(generator)
    run_bare(pipeline, generator, rows[:batch], batch)
    draw_images(rows[:batch], generator, gates, ImageOptions(attempts=1, batch=batch, seed_of=seed_of))
    bare, stage, idle = [], [], []
    for number in range(rounds):
        bare.append(run_bare(pipeline, generator, rows, batch))
        done = draw_images(rows, generator, gates, ImageOptions(attempts=1, batch=batch, seed_of=seed_of))
        stage.append(done.stats["seconds"] / done.stats["films"])
        idle.append(1 - done.stats["ms.generator"] / 1000 / done.stats["seconds"])
        print(
            f"round {number + 1}: pipeline {1 / bare[-1]:.2f} films/s, stage {1 / stage[-1]:.2f} films/s, generator "
            f"idle {idle[-1]:.1%}", flush=True,
        )  # fmt: skip
    ratios = [one / other for one, other in zip(bare, stage, strict=True)]
    print(f"image stage over bare pipeline: ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    print(f"generator idle in the stage: {median(idle):.1%} ({min(idle):.1%} to {max(idle):.1%}; bar {IDLE:.0%})")


def measure_judges(count: int, rounds: int) -> None:
    """Films a second, wall and processor time, of the classical judges and of the ensemble."""
    sound = [film.image for film in phantom_films(HOSPITAL_A, 4242, range(count))]
    classical = members([kind for kind in MEMBERS if kind not in LEARNT], {})
    ensemble = Ensemble()
    for side in CLASSICAL_BARS:
        films = [cv2.resize(film, (side, side), interpolation=cv2.INTER_CUBIC) for film in sound]
        batch = [Candidate(str(at), (), "", "", film) for at, film in enumerate(films)]
        each: dict[str, Callable[[], object]] = {
            "classical": lambda batch=batch: [
                gate.score_batch(view) for view in [FilmBatch(batch)] for gate in classical
            ],
            "ensemble": lambda batch=batch: ensemble.score(batch),
        }
        for name, judge in each.items():
            judge()
            wall, busy = [], []
            for _ in range(rounds):
                started, used = time.perf_counter(), time.process_time()
                judge()
                wall.append(count / (time.perf_counter() - started))
                busy.append(1000 * (time.process_time() - used) / count)
            bar = f"; bar {CLASSICAL_BARS[side]}" if name == "classical" else ""
            print(
                f"{name} judges at {side} px: {median(wall):.0f} films/s ({min(wall):.0f} to {max(wall):.0f}{bar}), "
                f"{median(busy):.2f} ms of processor a film", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
