"""Register a trained model in MLflow with its signature, as safetensors and JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.exceptions import MlflowException

from models.vlp.served import DESCRIPTION, TEXTS, WEIGHTS, ModelDescription
from tasks.track import names

if TYPE_CHECKING:
    from tasks.track.tracker import TrackedRun

FOLDER = "model"
TRIAL = "trial"
"""Tag of a registered version: the fingerprint of its trial."""
_LIMIT = 200
_LOADER = "models.vlp.served"
_TAKEN = "RESOURCE_ALREADY_EXISTS"


def model_name(dataset: str, arm: str) -> str:
    """What the models of an arm are registered as, such as ``phantom-cxr-mixed``."""
    return re.sub(r"[^\w.-]+", "-", f"{dataset}-{arm}")[:_LIMIT]


def register_model(
    run: TrackedRun, name: str, weights: bytes, description: ModelDescription, tags: Mapping[str, str]
) -> None:
    """Keep a model as artifacts of `run` and register it as the next version of `name`.

    A trial that is registered under that name already gets no second version. What MLflow refuses is reported and
    left out, as in every call of `TrackedRun`.

    Args:
        run: where the files go, under ``model/``.
        name: of the registered model; it is made where there is none.
        weights: safetensors bytes.
        description: how they are loaded.
        tags: of the registered version; `TRIAL` among them tells trials apart.
    """
    run.blob(weights, f"{FOLDER}/{WEIGHTS}")
    run.blob(description.model_dump_json(indent=1).encode(), f"{FOLDER}/{DESCRIPTION}")
    run.text(_model_file(run.id, description), f"{FOLDER}/MLmodel")
    run.attempt(lambda: _register(run, name, tags))


def _register(run: TrackedRun, name: str, tags: Mapping[str, str]) -> None:
    client = run.client
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != _TAKEN:
            raise
    if any(held.tags.get(TRIAL) == tags[TRIAL] for held in client.search_model_versions(f"name = '{name}'")):
        return
    source = f"{client.get_run(run.id).info.artifact_uri}/{FOLDER}"
    shown = {names.key(tag): text for tag, text in tags.items()}
    client.create_model_version(name, source, run.id, tags=shown, await_creation_for=0)


def _model_file(run: str, description: ModelDescription) -> str:
    """``MLmodel``: the signature, and which module of ours loads the folder."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    side = description.film_size
    unsigned: Any = np.dtype("uint8")
    floats: Any = np.dtype("float32")
    signature = ModelSignature(
        inputs=Schema([TensorSpec(unsigned, (-1, side, side))]),
        outputs=Schema([TensorSpec(floats, (-1, -1))]),
        params=ParamSchema([ParamSpec(TEXTS, DataType.string, [""], (-1,))]),
    )
    made = Model(artifact_path=FOLDER, run_id=run, signature=signature)
    made.add_flavor("python_function", loader_module=_LOADER)
    return made.to_yaml()
