"""Under which terms a version may be used: those of every model and bank that it was made with, together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from storage.records import Record
from tasks.recipe.fingerprint import BUILT_IN_BANKS
from tasks.recipe.schema import Recipe

UNKNOWN = "unknown"
BANK_LICENCE = "Apache-2.0"
_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")


class Source(Record):
    """One thing that the data was made with, and its terms."""

    role: str
    name: str
    licence: str
    credentialed: bool = False


class Terms(Record):
    """The terms of a version.

    `licence` is an SPDX expression: the sources' licences joined by AND, or ``unknown`` as soon as one is.
    `credentialed` is set as soon as one source is.
    """

    licence: str
    credentialed: bool
    sources: list[Source]


def inherit(recipe: Recipe, models: Mapping[str, Mapping[str, Any]]) -> Terms:
    """The terms that the bank and the two generators pass on to what they made.

    The profile's `licence` and `credentialed` of a source go before those of the model's card.

    Args:
        recipe: names the bank and the generators.
        models: model cards by stage.
    """
    bank = recipe.plan
    built_in = BANK_LICENCE if bank.bank in BUILT_IN_BANKS else UNKNOWN
    sources = [
        Source(role="bank", name=bank.bank, licence=bank.licence or built_in, credentialed=bank.credentialed or False)
    ]
    said = {"reports": recipe.reports.generator, "images": recipe.images.generator}
    for stage, card in models.items():
        component = said.get(stage)
        licence = (component.licence if component else None) or str(card.get("licence") or UNKNOWN)
        declared = component.credentialed if component else None
        credentialed = bool(card.get("credentialed")) if declared is None else declared
        sources.append(Source(role=stage, name=str(card.get("name", "")), licence=licence, credentialed=credentialed))
    return combine(sources)


def combine(sources: list[Source]) -> Terms:
    """Every term of every source: nothing is loosened on the way."""
    licences = sorted({source.licence for source in sources})
    clear = all(licence.casefold() != UNKNOWN and _SPDX.fullmatch(licence) for licence in licences)
    joined = " AND ".join(f"({one})" if " OR " in one and len(licences) > 1 else one for one in licences)
    joined = joined if licences and clear else UNKNOWN
    return Terms(licence=joined, credentialed=any(source.credentialed for source in sources), sources=sources)
