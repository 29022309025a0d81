"""How near films of the shipped generator are to real ones, before any gate sees them.

    python benchmarks/fidelity.py [--films 160] [--pairs 16] [--encoder microsoft/rad-dino] [--real FOLDER]...

Draws the plan of the local profile and prints the page that `synth audit fidelity` writes of a published version.
"""

from __future__ import annotations

import argparse

from planned import local_recipe, planned_reports, seed_of

from models import registry
from models.contracts import ImageRequest
from models.encoders.image import OURS, open_encoder
from tasks.fidelity.films import Film
from tasks.fidelity.page import as_markdown
from tasks.fidelity.reference import open_reference
from tasks.fidelity.report import report
from tasks.fidelity.version import GeneratedFilms
from tasks.generate.images import labels_of, read_mentions


def drawn(count: int, pairs: int) -> GeneratedFilms:
    """Films of the shipped generator by the local profile, and the first `pairs` prompts with other seeds."""
    recipe = local_recipe()
    generator = registry.build(registry.IMAGE_GENERATORS, "diffusers", recipe.images.generator.options)
    rows = planned_reports(recipe, count)
    first, again = (
        generator.generate([ImageRequest(r.sample_id, r.impression, seed_of(r.sample_id, at)) for r in part])
        for at, part in enumerate((rows, rows[:pairs]))
    )
    labels = [labels_of(read_mentions(row)) for row in rows]
    return GeneratedFilms("the shipped generator", list(map(Film, first, labels)), again)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=160)
    parser.add_argument("--pairs", type=int, default=16, help="prompts that are drawn with two seeds")
    parser.add_argument(
        "--encoder", default=OURS, help="film (ours), or a folder or hub id such as microsoft/rad-dino"
    )
    parser.add_argument("--real", action="append", default=[], help="an archive to compare with beside hospital A")
    args = parser.parse_args()
    references = [open_reference(spec) for spec in ("hospital_a", *args.real)]
    print(as_markdown(report(drawn(args.films, args.pairs), references, open_encoder(args.encoder))))


if __name__ == "__main__":
    main()
