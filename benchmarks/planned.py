"""Reports as the local profile plans them, written from templates: what the image benchmarks draw."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from models.contracts import Gate, ReportRequest
from models.phantom.template import TemplateReportGenerator
from storage.records import ReportRow
from tasks.generate.decide import open_gates
from tasks.plan.plan import make_plan
from tasks.recipe.profile import load_recipe
from tasks.recipe.schema import Recipe

PROFILES = Path(__file__).parents[1] / "flows" / "profiles"


def local_recipe() -> Recipe:
    """The recipe of the local profile."""
    return load_recipe("local", [], PROFILES)


def planned_reports(recipe: Recipe, count: int) -> list[ReportRow]:
    """The first `count` samples of the plan as report rows."""
    plan = make_plan(recipe.model_copy(update={"pairs": max(count, recipe.pairs)}), "benchmark")
    specs = plan.samples(0, count)
    drafts = TemplateReportGenerator().generate(
        [ReportRequest(spec.sample_id, spec.mentions, spec.index) for spec in specs]
    )
    return [
        ReportRow(
            sample_id=spec.sample_id,
            index=spec.index,
            findings=draft.findings,
            impression=draft.impression,
            entities=[mention.entity for mention in spec.mentions],
            mentions=[asdict(mention) | {"type": str(mention.type)} for mention in spec.mentions],
            seed=draft.seed,
            attempts=1,
            tokens=draft.tokens,
            tokens_all_attempts=draft.tokens,
            gates=[],
        )
        for spec, draft in zip(specs, drafts, strict=True)
    ]


def image_gates(recipe: Recipe) -> list[tuple[Gate, float]]:
    """The recipe's image gates with their thresholds."""
    return open_gates(recipe.image_gates)


def text_gates() -> list[tuple[Gate, float]]:
    """The local profile's text gates, but for the one that needs an image generator."""
    return open_gates([spec for spec in local_recipe().report_gates if spec.kind != "prompt_length"])


def seed_of(sample: str, attempt: int) -> int:
    """A seed per sample, far from its other attempts'."""
    return int(sample.rsplit("-", 1)[1]) + 1_000_003 * attempt
