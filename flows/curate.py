"""`curate`: decide which pairs of a dataset version are kept; no pixel moves."""

from __future__ import annotations

from typing import Any

from flows.parameters import FlowParameters, factory_flow
from flows.session import open_run
from storage.versions import Version
from tasks.check.stored import need_version
from tasks.curate.explain import explain, spread
from tasks.curate.keep import decide, write_selection
from tasks.curate.select import Selection
from tasks.curate.table import PairTable
from tasks.prefect_tasks import step


@factory_flow(FlowParameters)
def curate(parameters: FlowParameters) -> dict[str, Any]:
    """Write the selection that the recipe's rules make of its dataset version, or find it written.

    The selection is called ``default``, or after its rules where they are others.
    """
    with (
        open_run("curate", parameters, needs=need_version) as run,
        run.tracked.nested("curate") as tracked,
    ):
        rules = run.recipe.curate

        def decided() -> tuple[PairTable, Selection]:
            table, selection = decide(Version.open(run.store, run.ref), rules, run.progress.stage)
            return table, write_selection(run.place, rules.name, selection)

        table, selection = step("curate", "curate", decided)
        kept, seen = len(selection.kept), len(selection.choices)
        tracked.dataset(run.ref.name, run.fingerprint, run.store.uri(run.ref.prefix), "curated")
        tracked.metrics({"kept": kept, "dropped": seen - kept})
        tracked.params({"selection": rules.name})
        run.progress.say(f"curated {run.ref}: {kept} of {seen} pairs kept")
        return {
            "dataset": str(run.ref),
            "selection": rules.name,
            "kept": kept,
            "of": seen,
            "removed": [line.model_dump() for line in explain(selection)],
            "spread": spread(table, selection),
        }
