"""Look at a whole recipe before any work, and list everything that would fail later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.check.components import check_components
from tasks.check.curation import check_curation
from tasks.check.files import check_files
from tasks.check.planning import check_planning
from tasks.check.report import Report
from tasks.check.tracking import check_tracking
from tasks.check.training import check_amounts, check_training
from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import Draft, draft_recipe
from tasks.recipe.schema import Recipe

GENERATE, CURATE, PRETRAIN, EVALUATE = "generate", "curate", "pretrain", "evaluate"
STAGES = (GENERATE, CURATE, PRETRAIN, EVALUATE)
FLOWS = {"synth": STAGES, **{stage: (stage,) for stage in STAGES}}
"""The stages of each flow. A flow needs the files of its own stages only: weights may lie on another machine."""


def look_at(
    profile: str, overrides: Sequence[str], profiles_dir: Path, stages: Sequence[str] = STAGES
) -> tuple[Draft, Report]:
    """A profile with its overrides, sound or not, and all that can be said of it beforehand.

    Args:
        profile, overrides, profiles_dir: as `tasks.recipe.profile.load_recipe` takes them.
        stages: what will be done with it.

    Raises:
        RecipeError: there is no such profile, or it is no mapping.
    """
    draft = draft_recipe(profile, overrides, profiles_dir)
    report = Report(problems=list(draft.problems))
    if draft.recipe is not None:
        inspect(draft.recipe, stages, report)
        report.problems = [line for line in report.problems if not _left_out(line, draft)]
    return draft, report


def _left_out(line: str, draft: Draft) -> bool:
    """Whether a line misses an arm that is there, but is not sound."""
    wrong = {line.split(".")[2].partition(":")[0] for line in draft.problems if line.startswith("pretrain.arms.")}
    return any(f": unknown arm {name!r}" in line for name in wrong)


def checked_recipe(
    profile: str, overrides: Sequence[str], profiles_dir: Path, stages: Sequence[str] = STAGES
) -> Recipe:
    """The recipe of a profile that nothing is wrong with; the arguments are those of `look_at`.

    Raises:
        RecipeError: with all problems at once, those of the schema and those of the stages.
    """
    draft, report = look_at(profile, overrides, profiles_dir, stages)
    if report.problems or draft.recipe is None:
        raise RecipeError(draft.where, report.problems)
    return draft.recipe


def check_recipe(recipe: Recipe, stages: Sequence[str] = STAGES) -> None:
    """As `checked_recipe`, for a recipe that is loaded already.

    Raises:
        RecipeError: with all problems at once.
    """
    report = Report()
    inspect(recipe, stages, report)
    if report.problems:
        raise RecipeError(f"profile {recipe.profile!r}", report.problems)


def inspect(recipe: Recipe, stages: Sequence[str], report: Report) -> None:
    """Add to `report` what is wrong with `recipe` for `stages`."""
    check_components(recipe, report)
    check_training(recipe, report)
    check_curation(recipe, report)
    check_planning(recipe, report)
    check_tracking(recipe, report)
    if PRETRAIN in stages:
        check_amounts(recipe, report)
    check_files(recipe, stages, report)
