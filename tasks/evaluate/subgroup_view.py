"""How the groups of the films of a test set are shown, on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.evaluate.scores import Figure, ScoreTable
from tasks.markdown import markdown_cell as cell

SUBGROUP_COLUMNS = ("arm", "attribute", "group", "films", "AUROC", "missed", "less others")
MISSED = (
    "missed: films with a finding in which none is predicted, at thresholds from the validation films; less others: "
    "the same less that of the other groups. Intervals are not corrected for their number"
)


def subgroup_rows(table: ScoreTable) -> list[tuple[str, ...]]:
    """One row a group of each attribute and arm, as in `SUBGROUP_COLUMNS`; figures with their intervals."""
    return [
        (held.arm, held.attribute, group.name, str(group.films), _figure(group.auroc), _figure(group.missed),
         _figure(group.gap, signed=True))
        for held in table.subgroups for group in held.groups
    ]  # fmt: skip


def subgroup_notes(table: ScoreTable) -> Iterator[str]:
    """What stands below the rows: what they are, and which groups are missing and why; each line once."""
    lines: list[str] = []
    for held in table.subgroups:
        if held.too_few:
            named = ", ".join(f"{name} ({films} films)" for name, films in held.too_few.items())
            lines.append(f"{held.attribute}: too few films to score: {named}")
        if held.unknown:
            lines.append(f"{held.attribute}: not known of {held.unknown} films")
        if held.groups and not held.findings:
            lines.append(f"{held.attribute}: no finding has both classes in every group, so there is no AUROC")
        if held.why:
            lines.append(f"{held.attribute}: {held.why}")
        clear = {
            f"{name} in {group.name}": gap for group in held.groups for name, gap in group.gaps.items() if gap.low > 0
        }
        if clear:
            named = ", ".join(f"{name} {_figure(gap, signed=True)}" for name, gap in clear.items())
            lines.append(f"{held.arm}, {held.attribute}: missed more often than in the other groups: {named}")
    if any(group.missed for held in table.subgroups for group in held.groups):
        yield MISSED
    yield from dict.fromkeys(lines)


def subgroups_markdown(tables: Sequence[ScoreTable]) -> str:
    """The groups of every table that has some; empty where none has."""
    parts: list[str] = []
    for table in tables:
        if rows := subgroup_rows(table):
            parts += ["", f"## {cell(table.name)} on {cell(table.dataset)}", ""]
            parts += ["| " + " | ".join(SUBGROUP_COLUMNS) + " |", "|---" * len(SUBGROUP_COLUMNS) + "|"]
            parts += [*("| " + " | ".join(map(cell, row)) + " |" for row in rows), ""]
            parts += [f"- {cell(line)}" for line in subgroup_notes(table)]
    return "\n".join(parts).strip()


def _figure(figure: Figure | None, *, signed: bool = False) -> str:
    if figure is None:
        return ""
    if signed:
        return f"{figure.value:+.3f} {figure.low:+.3f} to {figure.high:+.3f}"
    return f"{figure.value:.3f} {figure.low:.3f}-{figure.high:.3f}"
