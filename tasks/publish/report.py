"""The dataset report: ``card/report.html``, one file that needs nothing from the network."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from storage.records import GateRow, Manifest, PairRow, RejectRow
from tasks.publish.card import LIMITS, TEMPLATES
from tasks.publish.figures import TYPES, EntityGroup, GateFigures, Tally, entity_groups, stages, yields
from tasks.publish.provenance import (
    Chapter,
    Place,
    explain_attempts,
    explain_prompts,
    explain_sample,
    explain_version,
)
from tasks.publish.sheet import SheetFilm

ENTITIES = 24
"""Most entities of one type in the chart: the most and the least accepted."""

LONGEST = 2_000
"""Most characters of one text on the page."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One sample that can be opened: a film of the contact sheet, or a reject without one.

    `gates` pairs each score with its place on that gate's axis and the threshold's, in percent.
    """

    row: PairRow | RejectRow
    findings: str
    impression: str
    gates: list[tuple[GateRow, float, float]]
    chapters: list[Chapter]
    closest: GateRow | None = None
    source: str = ""


def build_report(manifest: Manifest, tally: Tally, films: Sequence[SheetFilm], costs: Mapping[str, Any]) -> str:
    """HTML with a contact sheet, scores and provenance per film, entity balance, yields, and rejects with reasons.

    Every text is escaped, and a content policy lets the browser run the page's own script and nothing else. The page
    has a bounded size whatever the version's: films, rejects, entities and texts are cut to fixed numbers, and the
    page notes what it leaves out.

    Args:
        manifest: of the version.
        tally: of all its rows.
        films: the contact sheet.
        costs: further figures, name to value.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "words": _words, "term": _term}
    script, style = (TEMPLATES / "report.js").read_text(), (TEMPLATES / "report.css").read_text()
    gates = tally.gates()
    axes = {gate.name: gate for gate in gates}
    groups = entity_groups(tally.planned, tally.accepted)
    return environment.get_template("report.html.j2").render(
        manifest=manifest,
        films=[_film(film, axes, manifest) for film in films],
        tars=len({film.place.tar for film in films}),
        rejects=[_item(row, place, axes, manifest) for row, place in tally.rejects],
        gates=gates,
        refusals=sorted(tally.rejected_at.items(), key=lambda item: -item[1]),
        never=sum(not bar.accepted for group in groups for bar in group.bars),
        entities=sum(len(group.bars) for group in groups),
        groups=[_cut(group) for group in groups],
        most=max((bar.planned for group in groups for bar in group.bars), default=1) or 1,
        stages=stages(manifest, tally.rejected_in),
        shared=explain_version(manifest),
        sources=manifest.statistics.get("sources", []),
        limits=LIMITS,
        summary={**yields(manifest, tally.planned), **costs},
        script=Markup(script),  # ours, and the content policy names its hash
        script_hash=_hash(script),
        style=Markup(style),
        style_hash=_hash(style),
    )


def _film(film: SheetFilm, axes: Mapping[str, GateFigures], manifest: Manifest) -> _Item:
    if not (film.image.startswith(b"RIFF") and film.image[8:12] == b"WEBP"):
        raise ValueError(f"the film of sample {film.row.sample_id} is not WebP")
    return replace(
        _item(film.row, film.place, axes, manifest),
        closest=_closest(film.row, axes),
        source=f"data:image/webp;base64,{base64.b64encode(film.image).decode()}",
    )


def _item(row: PairRow | RejectRow, place: Place, axes: Mapping[str, GateFigures], manifest: Manifest) -> _Item:
    chapters = explain_sample(row, place)
    if isinstance(row, PairRow):
        tries = {"reports": row.report_attempts, "images": row.image_attempts}
        chapters.append(explain_prompts(row, str(manifest.models.get("reports", {}).get("kind", ""))))
    else:
        tries = {row.stage: row.attempts}
    chapters.append(explain_attempts(manifest.fingerprint, row.sample_id, tries))
    return _Item(
        row=row,
        findings=_clip(row.findings),
        impression=_clip(row.impression),
        gates=[(g, _percent(g.score, axes[g.gate]), _percent(g.threshold, axes[g.gate])) for g in row.gates],
        chapters=[
            Chapter(chapter.title, tuple((_clip(name), _clip(value)) for name, value in chapter.facts))
            for chapter in chapters
            if chapter.facts and chapter.title != "Gates"  # drawn as bars
        ],
    )


def _closest(row: PairRow, axes: Mapping[str, GateFigures]) -> GateRow | None:
    """The gate that the sample passed most narrowly, of those with graded scores."""
    scored = [gate for gate in row.gates if gate.score is not None and math.isfinite(gate.score)]
    graded = [gate for gate in scored if gate.threshold < axes[gate.gate].high]
    margins = {g.gate: _percent(g.score, axes[g.gate]) - _percent(g.threshold, axes[g.gate]) for g in graded}
    return min(graded, key=lambda gate: margins[gate.gate], default=None)


def _cut(group: EntityGroup) -> tuple[EntityGroup, int]:
    """The most and the least accepted of a large group, and how many lie between them."""
    left_out = len(group.bars) - ENTITIES
    if left_out <= 0:
        return group, 0
    return replace(group, bars=(*group.bars[: ENTITIES // 2], *group.bars[-ENTITIES // 2 :])), left_out


def _percent(value: float | None, gate: GateFigures) -> float:
    """Where a value lies on the gate's axis, 0 to 100; a score that is no number lies at its foot."""
    if value is None or not math.isfinite(value) or gate.high <= gate.low:
        return 0.0
    return round(100 * min(1.0, max(0.0, (value - gate.low) / (gate.high - gate.low))), 1)


def _clip(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _term(entity: str) -> str:
    """An entity's words, without the type before them."""
    kind, _, term = entity.partition("/")
    return term if kind in TYPES and term else entity


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _number(value: Any) -> str:
    if value is None:
        return "not judged"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "∞" if value == math.inf else "–"
    return format(Decimal(f"{value:.3g}"), "f") if abs(value) < 1000 else f"{value:,.0f}"
