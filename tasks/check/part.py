"""A part of a recipe whose files are checked, and the checks that parts of several kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import registry
from models.hub import cached, names_hub, offline
from models.language.folder import wrong_folder
from models.nets.shipped import NETS, SHIPPED
from models.typed import options_model
from models.weight_files import found
from tasks.check.report import Report


@dataclass(frozen=True, slots=True)
class Part:
    """A kind with all its options, defaults included.

    Args:
        kind, options: as `models.registry` builds it.
        report: where notes go.
        here: it will run on this machine, not on the nodes of a cluster.
    """

    kind: str
    options: Mapping[str, Any]
    report: Report
    here: bool

    def other(self, table: Mapping[str, str], kind: str, options: Mapping[str, Any] | None) -> Part:
        """A part inside this one."""
        return part_of(table, kind, options or {}, self.report, self.here)


def part_of(table: Mapping[str, str], kind: str, options: Mapping[str, Any], report: Report, here: bool) -> Part:
    """A part whose kind and options are known to be right."""
    fields = options_model(registry.factory_of(table, kind)).model_fields.items()
    defaults = {name: field.default for name, field in fields if not field.is_required()}
    return Part(registry.current(kind), defaults | registry.current_options(kind, options), report, here)


def net_problems(kind: str, options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the files of `NETS`."""
    folder = Path(options.get("folder") or SHIPPED).expanduser()
    return found(folder / name for name in NETS.get(kind, ()))


def model_problems(spec: str, report: Report, *, chats: bool = False, max_model_len: int | None = None) -> list[str]:
    """What is wrong with a language or vision model in a folder or in the hub's cache."""
    wrong: list[str] = []
    folder: Path | None = Path(spec).expanduser()
    if names_hub(spec):
        folder = in_cache(spec, report, None, wrong)
    elif not folder.is_dir():
        return [f"the folder {spec} is missing: give a folder with config.json and *.safetensors, or a hub id"]
    return wrong + (wrong_folder(folder, chats=chats, max_model_len=max_model_len) if folder else [])


def in_cache(model: str, report: Report, revision: str | None, wrong: list[str]) -> Path | None:
    """The hub's folder where nothing will be added to it any more; else what will happen is noted."""
    folder = cached(model, revision)
    if offline():
        if folder is None:
            wrong.append(
                f"{model!r} is not in the local hub cache, and HF_HUB_OFFLINE is set: unset it and run `hf download "
                f"{model}` (a gated model needs `hf auth login` first), or give a local folder"
            )
        return folder
    if folder is None:
        report.notes.append(f"{model!r} is not in the local hub cache and will be downloaded (`hf download {model}`)")
    return None
