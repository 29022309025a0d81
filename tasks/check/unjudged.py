"""Before any work: which entities of a bank the gates of a recipe cannot judge and the recipe does not let pass."""

from __future__ import annotations

from collections.abc import Sequence

from models import registry
from models.contracts import Entity, Mention, VocabularyGate
from tasks.generate.decide import allows, give_bank
from tasks.plan.bank import Bank, label_set_of
from tasks.recipe.schema import GateSpec, Recipe

SHOWN = 3
EXAMINED = 50_000
"""Most entities that one gate is asked about; the vocabularies are regular expressions, and a bank may be huge."""


def unjudged_problems(recipe: Recipe, entities: Sequence[Entity]) -> list[str]:
    """One line for each gate that cannot judge an entity of the bank which the recipe does not let pass unjudged.

    No weights are loaded. A gate whose options are wrong is left out: opening it reports them.

    Args:
        recipe: its gates, and the types of entity that it deals.
        entities: of its bank.
    """
    bank = Bank(tuple(entities), label_set_of(recipe.plan))
    asked = [entity for entity in entities if recipe.plan.per_report.get(entity.type.value)]
    problems = []
    for stage in ("report_gates", "image_gates"):
        for number, spec in enumerate(getattr(recipe, stage)):
            line = _problem(f"{stage}.{number}", spec, asked, bank)
            problems += [line] if line else []
    return problems


def _problem(path: str, spec: GateSpec, asked: Sequence[Entity], bank: Bank) -> str | None:
    if spec.kind not in registry.FINDING_GATES:
        idle = f"{path}.allow_unjudged: gate {spec.kind} judges no findings by name: leave the list out"
        return idle if spec.allow_unjudged else None
    try:
        gate = registry.build(registry.GATES, spec.kind, spec.options)
        give_bank(gate, bank)
    except (ValueError, TypeError):  # reported where the gates are opened
        return None
    assert isinstance(gate, VocabularyGate), spec.kind
    left = [entity for entity in asked if not allows(spec.allow_unjudged, entity.id)][:EXAMINED]
    unknown = [entity.id for entity in left if not gate.covers(_mention(entity))]
    if not unknown:
        return None
    least = "at least " if len(left) == EXAMINED else ""
    more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
    return (
        f"{path}: gate {spec.kind} covers {len(gate.known_labels)} findings and cannot judge {least}{len(unknown)} of "
        f"the bank's {len(asked)} entities ({', '.join(unknown[:SHOWN])}{more}): name those that may pass unjudged in "
        f"{path}.allow_unjudged ('*' for all), or leave the gate out"
    )


def _mention(entity: Entity) -> Mention:
    return Mention(entity.id, entity.type, entity.term, entity.label, entity.present)
