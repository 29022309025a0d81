"""The weights that a recipe's generators and gates load, shipped ones and defaults included, with their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os.path import exists
from pathlib import Path
from typing import Any

from models import registry
from models.contracts import ModelNotFound
from models.diffusion.weights import BUILTIN
from models.gates.ensemble import CALIBRATIONS
from models.hub import cached, names_hub
from models.language.adapter import SHIPPED as ADAPTER
from models.language.files import PACKAGE_PREFIX, find_gguf
from models.nets.shipped import NETS, SHIPPED
from models.typed import options_model
from models.weight_files import read_object
from models.weight_hashes import file_hashes
from tasks.recipe.fingerprint import leaves
from tasks.recipe.schema import Component, GateSpec, Recipe
from tasks.recipe.weights import NAMING, place_of

Hashes = dict[str, dict[str, str]]
"""SHA-256 by file, by the option that names its folder."""


def weights_used(recipe: Recipe) -> Hashes:
    """The hashes of all weights that are on this machine; a model that is yet to be downloaded is left out.

    Raises:
        OSError: a file cannot be read.
    """
    parts: list[tuple[str, Mapping[str, str], Component | GateSpec]] = [
        ("reports.generator", registry.REPORT_GENERATORS, recipe.reports.generator),
        ("images.generator", registry.IMAGE_GENERATORS, recipe.images.generator),
    ]
    for section, gates in (("report_gates", recipe.report_gates), ("image_gates", recipe.image_gates)):
        parts += [(f"{section}.{number}", registry.GATES, gate) for number, gate in enumerate(gates)]
    found: Hashes = {}
    for where, table, part in parts:
        for option, place in _places(table, part.kind, part.options):
            found.setdefault(f"{where}.options.{option}", {}).update(file_hashes(place))
    return found


def _places(table: Mapping[str, str], kind: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Files and folders that a kind loads, with the option that names each."""
    kind = registry.current(kind)
    fields = options_model(registry.factory_of(table, kind)).model_fields.items()
    given = {f.alias or name: f.default for name, f in fields if not f.is_required()}
    given |= registry.current_options(kind, options)
    if kind == "openai":
        return
    for option, value in leaves(given).items():
        if option.rpartition(".")[2] in NAMING and isinstance(value, str | Path):
            name = registry.former_option(kind, option)
            yield from ((name, place) for place in _found(kind, option, str(value), given) if exists(place))
    if kind == "film_ensemble":
        yield from _members(given)


def _found(kind: str, option: str, value: str, given: Mapping[str, Any]) -> list[Path]:
    if option == "folder":
        return [Path(value).expanduser() / name for name in NETS.get(kind, ())]
    if option == "calibration" and value in CALIBRATIONS:
        return [SHIPPED / f"{value}.json"]
    if option == "adapter":
        ours = str(given.get("model")).startswith(PACKAGE_PREFIX)
        if value == "builtin" or (value == "auto" and ours):
            return [ADAPTER]
    if value in BUILTIN:
        return [BUILTIN[value]]
    if value.startswith(PACKAGE_PREFIX):
        return _packaged(value)
    place = place_of(value)
    if place is not None and not exists(place) and names_hub(value):
        place = cached(value, given.get("revision"))
    return [] if place is None else [place]


def _packaged(spec: str) -> list[Path]:
    try:
        return [find_gguf(spec.removeprefix(PACKAGE_PREFIX))]
    except ModelNotFound:  # a worker elsewhere may have the package, and starting the generator raises the remedy
        return []


def _members(given: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """The files of an ensemble's gates, with the options that it gives them."""
    spec = str(given["calibration"])
    scales = read_object(SHIPPED / f"{spec}.json" if spec in CALIBRATIONS else Path(spec).expanduser()).get("scales")
    for member in scales if isinstance(scales, dict) else ():
        options = (given.get("options") or {}).get(member) or {}
        for option, place in _places(registry.FILM_GATES, str(member), options):
            yield f"options.{member}.{option}", place
