"""The plan's section: what is asked for, and the files that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from models.contracts import Entity
from tasks.check.report import Report
from tasks.check.unjudged import unjudged_problems
from tasks.generate.prompts import context_problems, token_problems
from tasks.plan.bank import label_set_of, load_bank
from tasks.plan.deck.feasible import check_feasible, per_report_of
from tasks.plan.errors import PlanError
from tasks.plan.plan import make_plan
from tasks.plan.rules.constraints import rule_set
from tasks.plan.rules.cooccurrence import never_together
from tasks.plan.spec import SampleSpec
from tasks.recipe.fingerprint import BUILT_IN_BANKS, fingerprint
from tasks.recipe.schema import PlanSection, Recipe

T = TypeVar("T")
READ_AT_ONCE = 8 << 20
"""Bytes of a bank that is read whole for the check; of a larger one only its first bytes."""
SAMPLES_MEASURED = 8
"""Samples whose prompts are measured against the context of the language model."""


def check_planning(recipe: Recipe, report: Report) -> None:
    """What planning would refuse."""
    plan = recipe.plan
    if recipe.images.prompt_axes and plan.axes is None:
        report.problems.append(
            "images.prompt_axes is true, but plan.axes names no axis: name some, or set it to false"
        )
    _tried(lambda: rule_set(plan.constraints), report)
    wanted = _tried(lambda: per_report_of(plan.per_report), report)
    entities = _bank(plan, report)
    if wanted is not None and entities is not None:
        cap = plan.max_use if plan.target == "uniform" else None
        _tried(lambda: check_feasible(entities, wanted, recipe.pairs, cap, plan.bank), report)
        report.problems += [*token_problems(recipe, entities), *unjudged_problems(recipe, entities)]
    if plan.cooccurrence is not None:
        _check_pairs(plan.cooccurrence, entities, report)
    if entities is not None and not report.problems:
        _tried(lambda: report.problems.extend(context_problems(recipe, _first_samples(recipe))), report)


def _check_pairs(file: str, entities: tuple[Entity, ...] | None, report: Report) -> None:
    wrong = unreadable(file)
    if wrong:
        report.problems.append(f"plan.cooccurrence: {wrong}: learn it with `synth audit pairs`, or leave it empty")
    elif entities is not None:
        _tried(lambda: never_together(file, entities), report)


def _first_samples(recipe: Recipe) -> list[SampleSpec]:
    plan = make_plan(recipe, fingerprint(recipe))
    return plan.samples(0, min(SAMPLES_MEASURED, plan.pairs))


def unreadable(file: str) -> str | None:
    """Why a file cannot be opened."""
    path = Path(file)
    try:
        if not path.is_file():
            return f"{file} is a folder" if path.is_dir() else f"{file} is missing"
        with path.open("rb") as opened:
            return None if opened.read(1) else f"{file} is empty"
    except (OSError, ValueError) as error:
        return f"{file} cannot be read ({getattr(error, 'strerror', None) or error})"


def _bank(plan: PlanSection, report: Report) -> tuple[Entity, ...] | None:
    bank = plan.bank
    if bank not in BUILT_IN_BANKS:
        wrong = unreadable(bank)
        if wrong:
            report.problems.append(f"plan.bank: {wrong}: give a file of typed entities, or the built-in bank phantom")
            return None
        if Path(bank).stat().st_size > READ_AT_ONCE:
            report.notes.append(f"plan.bank: {bank} is large and its rows are checked when it is read")
            return None
    return _tried(lambda: load_bank(bank, label_set=label_set_of(plan)), report)


def _tried(call: Callable[[], T], report: Report) -> T | None:
    try:
        return call()
    except PlanError as error:
        report.problems += error.problems
        return None
