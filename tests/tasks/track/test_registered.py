"""A trained model is registered with its signature, and MLflow loads it without a pickle."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient

from models.vlp.model import create
from models.vlp.served import ModelDescription
from tasks.track.registered import model_name, register_model
from tasks.track.tracker import track


def test_a_registered_model_embeds_films_and_fits_texts_as_the_trained_one_does(uri: str, tmp_path: Path) -> None:
    model = create(seed=4)
    told = ModelDescription(model="synthcxr-tiny", objective="clip", film_size=model.film_size)
    tags = {"trial": "a" * 64, "version": "phantom/v-1"}
    name = model_name("phantom", "real")
    with track(uri, "experiment", "parent", artifacts=str(tmp_path / "files")) as run:
        register_model(run, name, model.to_bytes(), told, tags)
        register_model(run, name, model.to_bytes(), told, tags)
        register_model(run, name, model.to_bytes(), told, {**tags, "trial": "b" * 64})
        assert run.losses.count == 0

    client = MlflowClient(uri)
    held = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version))
    assert [one.tags["trial"] for one in held] == ["a" * 64, "b" * 64], "a trial is registered once"
    assert held[0].run_id == run.id
    assert held[0].tags["version"] == "phantom/v-1"
    assert {file.suffix for file in (tmp_path / "files").rglob("*") if file.is_file()} == {"", ".json", ".safetensors"}

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        loaded = mlflow.pyfunc.load_model(f"models:/{name}/1")
    finally:
        mlflow.set_tracking_uri(before)
    side = model.film_size
    inputs = loaded.metadata.get_input_schema()
    assert inputs is not None
    assert inputs.inputs[0].type == np.uint8
    assert inputs.inputs[0].shape == (-1, side, side)
    films = np.random.default_rng(0).integers(0, 255, (3, side, side), np.uint8)
    images, texts = model.embed_images(films), ["Clear lungs.", "Cardiomegaly."]
    assert np.allclose(loaded.predict(films), images, atol=1e-6)
    fits = loaded.predict(films, params={"texts": texts})
    assert np.allclose(fits, images @ model.embed_texts(texts).T, atol=1e-6)


def test_names_hold_what_mlflow_takes() -> None:
    assert model_name("phantom-cxr", "mixed_full") == "phantom-cxr-mixed_full"
    assert "/" not in model_name("a/b:c", "d e")
