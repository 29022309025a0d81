"""The MLflow experiment that a run belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from storage.addresses import redact
from tasks.track import names
from tasks.track.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


def experiment_id(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Find the experiment, or make it; a name whose files go elsewhere gets a sibling of its own.

    Raises:
        TrackingError: it was deleted.
    """
    name = names.title(name)
    found = _find(client, name)
    if found is not None and artifacts is not None and found.artifact_location != artifacts:
        name = names.title(f"{name} ({redact(artifacts)})")
        found = _find(client, name)
    if found is not None:
        return found.experiment_id
    try:
        return client.create_experiment(name, artifact_location=artifacts)
    except MlflowException:
        made = _find(client, name)  # another run made it in between
        if made is None:
            raise
        return made.experiment_id


def _find(client: MlflowClient, name: str) -> Experiment | None:
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"MLflow's experiment {name!r} was deleted: restore it (`mlflow experiments restore --experiment-id "
            f"{found.experiment_id}`), or set tracking.experiment to another name"
        )
    return found
