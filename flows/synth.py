"""`synth`: the whole factory, and the table of scores at its end."""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_markdown_artifact

from flows.curate import curate
from flows.evaluate import evaluate
from flows.generate import generate
from flows.outcome import summarise
from flows.parameters import FlowParameters, factory_flow
from flows.pretrain import pretrain
from flows.session import open_run


@factory_flow(FlowParameters)
def synth(parameters: FlowParameters) -> dict[str, Any]:
    """Generate a dataset version, curate it, pretrain on it, evaluate, and print the table of scores."""
    with open_run("synth", parameters) as run:
        generate(**run.for_subflow())
        curate(**run.for_subflow())
        pretrain(**run.for_subflow())
        evaluate(**run.for_subflow())
        summary = summarise(run)
        create_markdown_artifact(summary.markdown(), key="summary", description=f"What {run.ref} was worth")
    return summary.model_dump(mode="json")
