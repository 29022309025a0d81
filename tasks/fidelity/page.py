"""What `synth audit fidelity` writes and shows: a file for programs, a page, a figure, and the cells of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.audit.archive_report import plain
from tasks.fidelity.report import LEAST_PAIRS, Comparison, FidelityReport, Row, SsimSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = ("fid", "kid", "precision", "recall", "density", "coverage")
COLUMNS = ("finding", "films", "FID", "KID", "prec.", "recall", "dens.", "cover.", "MS-SSIM")
FEW = "too few"
READING = (
    "In brackets stands each figure's floor: what two halves of the reference have between them in as many films; no "
    "generator can be expected to beat it. Films are the version's, in brackets those of the reference's first half. "
    "FID and KID are 0 for equal distributions, precision, recall and coverage 1, density about 1. MS-SSIM is that of "
    "two seeds of one prompt, in brackets that of two different real films: the higher it is, the less seeds vary. "
    "Overall figures also see that a version and a reference differ in how often they show each finding."
)
_MADE, _FLOOR = "#1b6ca8", "#8a8a8a"


def cells(row: Row) -> list[tuple[str, str]]:
    """A row under `COLUMNS`: in each cell the version's figure, and its floor in brackets or nothing."""
    if row.figures is None or row.floor is None:
        figures = [(FEW, ""), *[("", "")] * (len(FIGURES) - 1)]
    else:
        figures = [(_said(getattr(row.figures, name)), f"({_said(getattr(row.floor, name))})") for name in FIGURES]
    alike = _said(_mean(row.seeds)), f"({_said(_mean(row.different))})"
    return [(row.finding, ""), (str(row.made), f"({row.real})"), *figures, alike]


def notes(report: FidelityReport, comparison: Comparison) -> list[str]:
    """Notes under a comparison's table, a sentence each."""
    measured = [each for row in comparison.rows for each in (row.figures, row.floor) if each is not None]
    lines = [
        f"{report.films} films of {report.dataset}; {sum(comparison.halves)} of {comparison.reference}, "
        f"in halves of {comparison.halves[0]} and {comparison.halves[1]}, at no more than {report.side} pixels a side"
    ]
    if any(math.isnan(each.fid) for each in measured):
        lines.append(
            f"FID is left open (–) where a side has no more films than the encoder has features, {report.features}"
        )
    if any(row.seeds is None or row.different is None for row in comparison.rows):
        lines.append(f"MS-SSIM is left open where fewer than {LEAST_PAIRS} pairs show a finding, or none was drawn")
    if comparison.left_out:
        lines.append("left out: " + ", ".join(f"{count} {why}" for why, count in sorted(comparison.left_out.items())))
    if comparison.read_as:
        meant = (f"{finding} from {', '.join(labels)}" for finding, labels in sorted(comparison.read_as.items()))
        lines.append("findings of the archive: " + "; ".join(meant))
    return lines


def as_json(report: FidelityReport) -> str:
    """The report for other programs; a figure that is no number is null."""
    from pydantic_core import to_json

    return to_json(report, indent=1, inf_nan_mode="null").decode()


def write(report: FidelityReport, folder: Path) -> None:
    """Write the three files; `folder` is made where it is missing, and files of these names in it are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fidelity.json").write_text(as_json(report) + "\n", encoding="utf-8")
    (folder / "fidelity.md").write_text(
        f"{as_markdown(report)}\n![Every figure beside its floor](fidelity.png)\n", encoding="utf-8"
    )
    (folder / "fidelity.png").write_bytes(draw(report))


def as_markdown(report: FidelityReport) -> str:
    """The report as a page."""
    lines = [f"# Fidelity of {plain(report.dataset)}", "", f"Encoder `{report.encoder}`. {READING}", ""]
    for comparison in report.comparisons:
        lines += [
            f"## Against {plain(comparison.reference)}",
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|---" * len(COLUMNS) + "|",
        ]
        lines += [f"| {' | '.join(plain(' '.join(cell)) for cell in cells(row))} |" for row in comparison.rows]
        lines += ["", *(f"- {plain(note)}" for note in notes(report, comparison)), ""]
    return "\n".join(lines)


def draw(report: FidelityReport) -> bytes:
    """A PNG: a row of panels for each reference, one panel a figure, in it one line a finding with its floor."""
    import io

    from matplotlib.figure import Figure

    shown = [[row for row in comparison.rows if row.figures is not None] for comparison in report.comparisons]
    heights = [0.9 + 0.24 * max(1, len(rows)) for rows in shown]
    figure = Figure(figsize=(14, sum(heights) + 0.5), dpi=110, layout="constrained")
    figure.suptitle(f"{report.dataset}, encoder {report.encoder}: ● the version, ○ the floor", fontsize="medium")
    grid = figure.subplots(len(shown), len(FIGURES) + 1, squeeze=False, sharey="row", height_ratios=heights)
    for comparison, rows, panels in zip(report.comparisons, shown, grid, strict=True):
        for name, axes in zip(FIGURES, panels, strict=False):
            pairs = [(getattr(row.figures, name), getattr(row.floor, name)) for row in rows]
            _panel(axes, name.upper() if len(name) == 3 else name, pairs)
        _panel(panels[-1], "MS-SSIM", [(_mean(row.seeds), _mean(row.different)) for row in rows])
        few = len(comparison.rows) - len(rows)
        panels[0].set_yticks(range(len(rows)), [row.finding for row in rows], fontsize="small")
        panels[0].set_ylim(len(rows) - 0.5, -0.5)
        panels[0].set_ylabel(
            comparison.reference + (f"\n({FEW} films of {few} more)" if few else ""), fontsize="small"
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _panel(axes: Axes, title: str, pairs: Sequence[tuple[float, float]]) -> None:
    lines: Any = range(len(pairs))
    made, floor = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    axes.hlines(lines, floor, made, color=_MADE, linewidth=0.8, alpha=0.5)
    axes.scatter(floor, lines, s=18, facecolors="none", edgecolors=_FLOOR)
    axes.scatter(made, lines, s=16, color=_MADE)
    axes.set_title(title, fontsize="small")
    axes.tick_params(axis="x", labelsize="x-small")
    axes.grid(axis="y", linewidth=0.3)


def _said(value: float) -> str:
    return "–" if math.isnan(value) else f"{round(value, 2) + 0:.2f}"  # and not -0.00


def _mean(alike: SsimSummary | None) -> float:
    return math.nan if alike is None else alike.mean
