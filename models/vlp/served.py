"""A trained model as MLflow loads it: weights as safetensors and a description as JSON, code by reference.

``mlflow.pyfunc.load_model("models:/NAME/VERSION")`` imports this module; nothing is unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.vlp.text_tower import TextTower

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel

DESCRIPTION, WEIGHTS = "model.json", "checkpoint.safetensors"
TEXTS = "texts"


class ModelDescription(BaseModel):
    """``model.json``: what `models.vlp.model.load` needs beside the weights.

    Args:
        model: name of an open_clip model.
        objective, options: kind and options of the objective, whose heads the weights may hold.
        text_tower: that it was created with.
        film_size: side in pixels of the films that it reads.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    objective: str
    options: dict[str, Any] = Field(default_factory=dict)
    text_tower: TextTower | None = None
    film_size: int


class ServedModel:
    """A model with MLflow's interface."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self._model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """Embeddings of films, or how they fit texts.

        Args:
            model_input: films (n, size, size) uint8.
            params: ``texts``, a list; without it, or with an empty one, embeddings are returned.

        Returns:
            Embeddings (n, d) float32 of unit length; with texts the cosines (n, texts) float32.
        """
        images = self._model.embed_images(np.asarray(model_input, np.uint8))
        texts = [str(text) for text in (params or {}).get(TEXTS, ()) if str(text)]
        return images if not texts else (images @ self._model.embed_texts(texts).T).astype(np.float32)


def _load_pyfunc(path: str) -> ServedModel:  # pyright: ignore[reportUnusedFunction]  (MLflow calls it by this name)
    """The model in a folder of artifacts.

    Raises:
        ValueError: its files are damaged or do not belong together.
        ModelNotFound: its tokenizer or text tower cannot be had.
    """
    from models.vlp.model import load
    from models.vlp.objectives import preparation

    folder = Path(path)
    facts = ModelDescription.model_validate_json((folder / DESCRIPTION).read_bytes())
    prepare = preparation(facts.objective, facts.options)
    return ServedModel(load((folder / WEIGHTS).read_bytes(), facts.model, "cpu", prepare, facts.text_tower))
