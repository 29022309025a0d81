"""A text tower of transformers in place of an open_clip model's own: which one, and whether it is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.contracts import ModelNotFound
from models.hub import cached, names_hub
from models.typed import Options, quoted
from models.weight_files import TOKENIZERS, any_of, found, wrong_weights
from models.weight_hashes import file_hashes

WEIGHTS = "model"


class TextTower(Options):
    """A text encoder such as BERT, with its own tokenizer; safetensors only, and no code of a repository is run."""

    path: Annotated[str, Field(min_length=1)] = Field(
        description="a folder in the layout of transformers, or a hub id whose files are on this machine"
    )
    frozen: bool = Field(default=True, description="keep its weights as they are, and train its projection alone")
    context: Annotated[int, Field(ge=4, le=8192)] = Field(
        default=77, description="tokens of a text; what is beyond is cut"
    )
    pool: Literal["first", "mean"] = Field(
        default="first", description="what stands for a text: its first token, or the mean over all but padding"
    )


def folder_of(tower: TextTower) -> Path:
    """Where its files are.

    Raises:
        ModelNotFound: they are not on this machine; the message says how to get them.
    """
    if names_hub(tower.path):
        folder = cached(tower.path)
        if folder is None:
            raise ModelNotFound(f"{quoted(tower.path)} is not on this machine: run `hf download {tower.path}`")
        return folder
    folder = Path(tower.path).expanduser()
    if not folder.is_dir():
        raise ModelNotFound(
            f"the folder {tower.path} is missing: give one with config.json, a tokenizer and model.safetensors, as "
            "AutoModel.from_pretrained(ID).save_pretrained(FOLDER) of transformers and AutoTokenizer likewise write it"
        )
    return folder


def wrong_text_tower(tower: TextTower) -> list[str]:
    """What is wrong with its files, without loading them."""
    try:
        folder = folder_of(tower)
    except ModelNotFound as error:
        return [str(error)]
    return found([folder / "config.json"]) + wrong_weights(folder, WEIGHTS) + any_of(folder, TOKENIZERS, "tokenizer")


def content_of(tower: TextTower) -> dict[str, str]:
    """SHA-256 of each file that may be loaded, by name; the folder's own name does not count.

    Raises:
        ModelNotFound: as `folder_of`.
    """
    return file_hashes(folder_of(tower))
