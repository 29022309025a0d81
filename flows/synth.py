"""`synth`: the whole factory, and the table that says what the data was worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.context import open_run
from flows.curate import curate
from flows.evaluate import evaluate
from flows.generate import generate
from flows.outcome import summarise
from flows.pretrain import pretrain


@flow(name="synth", flow_run_name="synth-{profile}")
def synth(
    profile: str = "local",
    pairs: int | None = None,
    dataset: str | None = None,
    seed: int | None = None,
    engine: str | None = None,
    storage_root: str | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Generate a dataset version, curate it, pretrain on it, evaluate, and say what it was worth."""
    asked = {
        "profile": profile,
        "pairs": pairs,
        "dataset": dataset,
        "seed": seed,
        "engine": engine,
        "storage_root": storage_root,
        "overrides": list(overrides),
    }
    with open_run("synth", profile, pairs, dataset, seed, engine, storage_root, overrides) as run:
        generate(**asked)
        curate(**asked)
        pretrain(**asked)
        evaluate(**asked)
        summary = summarise(run)
        create_markdown_artifact(summary.markdown(), key="summary", description=f"What {run.ref} was worth")
    return summary.model_dump(mode="json")
