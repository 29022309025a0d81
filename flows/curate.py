"""`curate`: decide which pairs of a dataset version are kept; no pixel moves."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flows.parameters import FlowParameters, factory_flow
from flows.session import open_run
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.tags import resolve
from storage.versions import Version, VersionPlace, open_dataset
from tasks.check.stored import need_version
from tasks.curate.explain import explain, spread
from tasks.curate.keep import decide, write_selection
from tasks.curate.select import Selection
from tasks.curate.table import PairTable
from tasks.prefect_tasks import step
from tasks.recipe.schema import Recipe


class CurateParameters(FlowParameters):
    """The fields of the flow `curate`."""

    of: str | None = Field(
        default=None,
        description="NAME@VERSION of any published version, such as an ingested one; empty takes the recipe's.",
    )


@factory_flow(CurateParameters)
def curate(parameters: CurateParameters) -> dict[str, Any]:
    """Write the selection that the recipe's rules make of its dataset version or another one, or find it written.

    The selection is called ``default``, or after its rules where they are others.
    """
    of = parameters.of

    def needed(store: ObjectStore, recipe: Recipe, ref: DatasetRef) -> None:
        if of is None:
            need_version(store, recipe, ref)
        else:
            open_dataset(store, resolve(store, of))

    with (
        open_run("curate", parameters, needs=needed, checked=of is None) as run,
        run.tracked.nested("curate") as tracked,
    ):
        rules, ref = run.recipe.curate, run.ref if of is None else resolve(run.store, of)
        version = Version.open(run.store, ref)

        def decided() -> tuple[PairTable, Selection]:
            table, selection = decide(version, rules, run.progress.stage)
            return table, write_selection(VersionPlace(run.store, ref), rules.name, selection)

        table, selection = step("curate", "curate", decided)
        kept, seen = len(selection.kept), len(selection.choices)
        tracked.dataset(ref.name, version.manifest.fingerprint, run.store.uri(ref.prefix), "curated")
        tracked.metrics({"kept": kept, "dropped": seen - kept})
        tracked.params({"selection": rules.name})
        run.progress.say(f"curated {ref}: {kept} of {seen} pairs kept")
        return {
            "dataset": str(ref),
            "selection": rules.name,
            "kept": kept,
            "of": seen,
            "removed": [line.model_dump() for line in explain(selection)],
            "spread": spread(table, selection),
        }
