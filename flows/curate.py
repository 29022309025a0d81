"""`curate`: decide which pairs of a dataset version are kept; no pixel moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import flow

from flows.context import open_run
from tasks.curate.keep import ensure_selection
from tasks.shell import step

SELECTION = "default"


@flow(name="curate", flow_run_name="curate-{profile}")
def curate(
    profile: str = "local",
    pairs: int | None = None,
    dataset: str | None = None,
    seed: int | None = None,
    engine: str | None = None,
    storage_root: str | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Write the default selection of the recipe's dataset version, or find it written."""
    with (
        open_run("curate", profile, pairs, dataset, seed, engine, storage_root, overrides) as run,
        run.tracked.nested("curate") as tracked,
    ):
        selection = step("curate", "curate", lambda: ensure_selection(run.store, run.ref, SELECTION))
        kept, seen = len(selection.kept), len(selection.choices)
        tracked.dataset(run.ref.name, run.fingerprint, run.store.uri(run.ref.prefix), "curated")
        tracked.metrics({"kept": kept, "dropped": seen - kept})
        run.progress.say(f"curated {run.ref}: {kept} of {seen} pairs kept")
        return {"dataset": str(run.ref), "selection": SELECTION, "kept": kept, "of": seen}
