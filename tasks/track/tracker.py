"""One MLflow parent run per flow run, nested runs per stage and arm.

The client is used without MLflow's global active run, so that threads and subflows cannot mix their runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

_PARAM_LIMIT = 6000


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One MLflow run that is open for writing."""

    client: MlflowClient
    experiment: str
    id: str

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings; values are written as text, cut at MLflow's limit."""
        self.client.log_batch(self.id, params=[Param(k, str(v)[:_PARAM_LIMIT]) for k, v in values.items()])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers. Names may hold letters, digits, spaces and ``_-./``."""
        now = int(time.time() * 1000)
        self.client.log_batch(self.id, metrics=[Metric(k, float(v), now, step) for k, v in values.items()])

    def curve(self, name: str, values: Sequence[float]) -> None:
        """Record a series under one name, one step an entry."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for step, value in enumerate(values)]
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(self.id, metrics=metrics[start : start + 1000])

    def tags(self, values: Mapping[str, str]) -> None:
        """Record links and labels."""
        self.client.log_batch(self.id, tags=[RunTag(k, v) for k, v in values.items()])

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Record a dataset version as an input of this run; `digest` is its fingerprint."""
        data = Dataset(name, digest[:36], "s3" if source.startswith("s3://") else "local", json.dumps({"uri": source}))
        self.client.log_inputs(self.id, [DatasetInput(data, [InputTag("mlflow.data.context", context)])])

    def text(self, text: str, file: str) -> None:
        """Keep a text as an artifact."""
        self.client.log_text(self.id, text, file)

    def blob(self, data: bytes, file: str) -> None:
        """Keep bytes (a figure, a checkpoint) as an artifact called `file`."""
        import tempfile
        from pathlib import Path, PurePosixPath

        place = PurePosixPath(file)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / place.name
            path.write_bytes(data)
            self.client.log_artifact(self.id, str(path), str(place.parent) if place.parent.name else None)

    @contextmanager
    def nested(self, name: str) -> Iterator[TrackedRun]:
        """A child run, ended as FINISHED, or as FAILED when the block raises."""
        with _open(self.client, self.experiment, name, {"mlflow.parentRunId": self.id}) as run:
            yield run


@contextmanager
def track(uri: str, experiment: str, name: str, *, artifacts: str | None = None) -> Iterator[TrackedRun]:
    """Open the parent run.

    Args:
        uri: MLflow tracking URI, such as ``sqlite:////path/mlflow.db`` or ``http://host:port``.
        experiment: experiment name; made with `artifacts` as its artifact location when it is new.
        name: what people see in the list of runs.
        artifacts: where files go, such as ``s3://bucket/mlflow``; None leaves it to the server.
    """
    client = MlflowClient(tracking_uri=uri)
    with _open(client, _experiment(client, experiment, artifacts), name, {}) as run:
        yield run


@contextmanager
def _open(client: MlflowClient, experiment: str, name: str, tags: dict[str, str]) -> Iterator[TrackedRun]:
    run = client.create_run(experiment, run_name=name, tags=tags)
    tracked = TrackedRun(client, experiment, run.info.run_id)
    try:
        yield tracked
    except BaseException:
        client.set_terminated(tracked.id, "FAILED")
        raise
    client.set_terminated(tracked.id, "FINISHED")


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Find the experiment, or make it; a name whose files go elsewhere gets a sibling of its own."""
    found = client.get_experiment_by_name(name)
    if found is not None and artifacts is not None and found.artifact_location != artifacts:
        name = f"{name} ({artifacts})"
        found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return client.create_experiment(name, artifact_location=artifacts)
    except MlflowException:
        made = client.get_experiment_by_name(name)  # another run made it in between
        if made is None:
            raise
        return made.experiment_id
