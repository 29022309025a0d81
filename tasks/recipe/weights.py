"""Weights, indices and tables that a recipe's generators and gates load, by the options that name them.

What is named by a path counts in the fingerprint by its content, and not by the path: two folders with the same files
are the same weights, and other weights in the same folder are another recipe. What ships with the program or comes
in a package (``builtin:``, ``package:``, a default) and what is named by a hub id counts by its name, so that a
profile has one fingerprint on every machine; a version's frozen hashes (`tasks.publish.frozen_weights`) hold that
content. A path at which there is nothing counts by its name too: a profile can be planned where its weights are not,
and no run begins without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from os.path import exists  # unlike Path's, it takes a name that is too long for one that is not there
from pathlib import Path
from typing import Any

from models.hub import names_hub
from models.weight_hashes import file_hashes
from storage.canonical import canonical_json
from tasks.recipe.errors import RecipeError

SECTIONS = ("reports.generator.options.", "images.generator.options.", "report_gates.", "image_gates.")
"""Where options are, at the beginning of a dotted path."""
NAMING = frozenset({
    "adapter", "bank", "calibration", "encoder", "folder", "index", "lora", "memory", "model", "tokenizer",
})  # fmt: skip
"""Options that name weights or another file that is loaded, at any depth."""
BUILT_IN = frozenset({
    "auto", "builtin", "classifier-features", "ensemble", "film", "generated", "ngrams", "penultimate", "transformers",
})  # fmt: skip
"""Values of these options that are names of what ships with the program, even where a file is called so."""


def named_by_path(fields: Mapping[str, Any]) -> dict[str, Path]:
    """The fields of a recipe that name what is there at a path, with that path.

    Args:
        fields: leaves of a recipe by dotted path.
    """
    found: dict[str, Path] = {}
    for field, value in fields.items():
        if not names_weights(field) or not isinstance(value, str):
            continue
        if field.startswith("reports.") and fields.get("reports.generator.kind") == "openai":
            continue  # a server's name for its model
        place = place_of(value)
        if place is not None and exists(place):
            found[field] = place
    return found


def names_weights(field: str) -> bool:
    """Whether the field at a dotted path names weights."""
    return ".options." in field and field.startswith(SECTIONS) and field.rpartition(".")[2] in NAMING


def place_of(value: str) -> Path | None:
    """The path that a value spells; None for what ships with the program or comes in a package."""
    if not value or value in BUILT_IN or value.startswith(("builtin:", "package:")):
        return None
    try:
        return Path(value).expanduser()
    except RuntimeError:  # the home of an unknown user: reported where the options are checked
        return None


def names_absent(fields: Mapping[str, Any]) -> bool:
    """Whether a field names weights by a path at which there is nothing here, so that their content is not known."""
    named = (value for field, value in fields.items() if names_weights(field) and isinstance(value, str))
    places = (place_of(value) for value in named if not names_hub(value))
    return any(place is not None and not exists(place) for place in places)


def content_of(field: str, place: Path) -> str:
    """What stands for a file or folder in the fingerprint; the name of a single file does not count.

    Raises:
        RecipeError: something in it cannot be read.
    """
    try:
        hashes = file_hashes(place)
    except OSError as error:
        raise RecipeError("recipe", [f"{field}: {place}: {error.strerror or error}; make it readable"]) from error
    if place.is_file():
        return f"sha256:{next(iter(hashes.values()))}"
    return f"sha256:{hashlib.sha256(canonical_json(hashes).encode()).hexdigest()}"
