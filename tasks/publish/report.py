"""The dataset report: ``card/report.html``, one file that needs nothing from the network."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from storage.records import Manifest, PairRow, RejectRow
from tasks.publish.card import TEMPLATES
from tasks.publish.figures import entity_bars, gate_figures, stages, yields

MOST_REJECTS = 400
MOST_ENTITIES = 80
_MIMES = {b"\x89PNG": "image/png", b"RIFF": "image/webp", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class _Film:
    """One card of the contact sheet."""

    row: PairRow
    source: str
    words: str


def build_report(
    manifest: Manifest,
    pairs: Sequence[PairRow],
    images: Mapping[str, bytes],
    rejects: Sequence[RejectRow],
    planned_counts: Mapping[str, int],
    extra: Mapping[str, Any],
) -> str:
    """HTML with films, reports, scores, rejects, entity balance, yields and throughput.

    Every text is escaped, and a content policy lets the browser run the page's own script and nothing else.

    Args:
        manifest: of the version.
        pairs: all accepted rows, for the figures.
        images: PNG, WebP or JPEG bytes by sample id: the films of the contact sheet.
        rejects: all rejected rows; the first `MOST_REJECTS` are listed.
        planned_counts: how often the plan asked for each entity.
        extra: further lines of the summary, name to value.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    script = (TEMPLATES / "report.js").read_text()
    bars = entity_bars(planned_counts, manifest.entity_counts)
    return environment.get_template("report.html.j2").render(
        manifest=manifest,
        films=[_film(row, images[row.sample_id]) for row in pairs if row.sample_id in images],
        gates=gate_figures(pairs, rejects),
        rejects=rejects[:MOST_REJECTS],
        rejects_total=len(rejects),
        bars=bars[:MOST_ENTITIES],
        bars_total=len(bars),
        most=max((max(bar.planned, bar.accepted) for bar in bars), default=1),
        stages=stages(manifest),
        summary={**yields(manifest), **extra},
        script=Markup(script),  # ours, and the content policy names its hash
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup((TEMPLATES / "report.css").read_text()),
    )


def _film(row: PairRow, image: bytes) -> _Film:
    mime = next((mime for magic, mime in _MIMES.items() if image.startswith(magic)), None)
    if mime is None:
        raise ValueError(f"the film of sample {row.sample_id} is neither PNG, WebP nor JPEG")
    words = " ".join((row.sample_id, row.impression, row.findings, *row.entities)).lower()
    return _Film(row, f"data:{mime};base64,{base64.b64encode(image).decode()}", words)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    short = f"{value:.3g}"
    return format(Decimal(short), "f") if math.isfinite(value) else short
