"""All that planning needs of a bank, worked out once in a process: several plans of one run share it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import numpy as np

from models.contracts import Entity, EntityType, ProgressCallback
from tasks.plan.attributes import Attributes
from tasks.plan.bank import label_set_of, load_bank
from tasks.plan.bank_files import encoding_note
from tasks.plan.deck.feasible import check_feasible, per_report_of
from tasks.plan.deck.target import deck_weights
from tasks.plan.rules.constraints import ConflictTable, rule_set
from tasks.plan.rules.cooccurrence import never_together
from tasks.recipe.schema import Recipe

STEPS = 3
LARGE = 50_000
"""Entities of a bank from which on the steps after reading it report their progress too."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What plans of one recipe share; nothing in it changes.

    Args:
        entities: the bank.
        per_report: entities of each type in a sample.
        pools: the entity numbers of each type.
        table: which entities may not meet.
        weights: how many cards each entity of a type gets in a pass.
        attributes: draws sides, zones and severities.
        notes: notes on the bank for people, a line each.
    """

    entities: tuple[Entity, ...]
    per_report: Mapping[EntityType, int]
    pools: Mapping[EntityType, list[int]]
    table: ConflictTable
    weights: Mapping[EntityType, np.ndarray]
    attributes: Attributes
    notes: tuple[str, ...] = ()


_lock = Lock()
_last: dict[tuple[object, ...], Prepared] = {}


def prepare(recipe: Recipe, fingerprint: str, on_progress: ProgressCallback | None = None) -> Prepared:
    """Read and check a recipe's bank; the last one is kept, as long as its files do not change.

    Raises:
        BankError: the entity bank cannot be read.
        PlanError: the request is not feasible for the bank.
    """
    plan = recipe.plan
    files = map(_state, (plan.bank, plan.label_set, plan.cooccurrence))
    key = (plan.model_dump_json(), recipe.pairs, fingerprint, *files)
    with _lock:
        if key not in _last:
            _last.clear()
            with _without_collection():
                _last[key] = _prepared(recipe, fingerprint, on_progress or (lambda *_: None))
        return _last[key]


def _prepared(recipe: Recipe, fingerprint: str, on_progress: ProgressCallback) -> Prepared:
    plan = recipe.plan
    per_report, rules = per_report_of(plan.per_report), rule_set(plan.constraints)
    entities = load_bank(plan.bank, on_progress, label_set_of(plan))
    on_step = on_progress if len(entities) >= LARGE else lambda *_: None
    cap = plan.max_use if plan.target == "uniform" else None
    check_feasible(entities, per_report, recipe.pairs, cap, plan.bank)
    pools: dict[EntityType, list[int]] = {kind: [] for kind in EntityType}
    for number, entity in enumerate(entities):
        pools[entity.type].append(number)
    never = None if plan.cooccurrence is None else never_together(plan.cooccurrence, entities)
    on_step("plan", 0, STEPS)
    table = ConflictTable(entities, rules, never)
    on_step("plan", 1, STEPS)
    weights = deck_weights(entities, table.concepts(np.arange(len(entities))), per_report, plan.target, plan.bank)
    attributes = Attributes(entities, fingerprint)
    on_step("plan", STEPS, STEPS)
    note = None if plan.bank == "phantom" else encoding_note(plan.bank)
    return Prepared(entities, per_report, pools, table, weights, attributes, (note,) if note else ())


def _state(file: str | None) -> tuple[int, int] | None:
    """Size and time of change of a file; None where there is none."""
    try:
        found = os.stat(os.path.expanduser(file)) if file else None
    except (OSError, ValueError):
        return None
    return (found.st_size, found.st_mtime_ns) if found else None


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let no garbage collection walk over the millions of lasting objects that a large bank makes."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
