"""The dataset card: ``card/README.md`` with the header that the Hugging Face hub reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from storage.records import Manifest
from tasks.publish.figures import GateFigures, yields

TEMPLATES = Path(__file__).parent / "templates"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def build_card(manifest: Manifest, gates: Sequence[GateFigures] = (), extra: Mapping[str, Any] | None = None) -> str:
    """Markdown with a YAML header: counts, yields, gates, models, licence, and how to load the pairs.

    Args:
        manifest: of the version.
        gates: thresholds and scores of each gate; empty for an archive.
        extra: further lines of the summary table, name to value.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # Markdown: values are escaped by `cell`, not as HTML
    environment.filters["cell"] = _cell
    return environment.get_template("card.md.j2").render(
        header=yaml.safe_dump(_header(manifest), sort_keys=False, allow_unicode=True),
        manifest=manifest,
        yields=yields(manifest),
        gates=gates,
        extra=extra or {},
    )


def _header(manifest: Manifest) -> dict[str, Any]:
    header = {
        "pretty_name": f"{manifest.dataset} {manifest.version}",
        "license": manifest.licence.lower(),
        "language": ["en"],
        "task_categories": ["image-to-text", "text-to-image", "zero-shot-image-classification"],
        "tags": ["chest-x-ray", "radiology", "synthetic", "webdataset"],
        "size_categories": [next((name for limit, name in _SIZES if manifest.accepted < limit), "n>1M")],
        "configs": [{"config_name": "default", "data_files": "pairs/*.tar"}],
        "extra_gated_prompt": "Credentialed access only." if manifest.credentialed else None,
        "synthcxr": {
            "fingerprint": manifest.fingerprint,
            "asked": manifest.asked,
            "accepted": manifest.accepted,
            "rejected": manifest.rejected,
            "credentialed": manifest.credentialed,
        },
    }
    return {name: value for name, value in header.items() if value is not None}


def _cell(value: Any) -> str:
    """A value as plain text in a Markdown table cell."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    for sign in "\\|<>*_`[]":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())
