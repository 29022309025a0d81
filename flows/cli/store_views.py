"""What the store commands print: tables for a terminal, from results that are computed elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from tasks.store.status import ShardStatus, Status, spans

if TYPE_CHECKING:
    from tasks.recipe.fingerprint import FieldChange
    from tasks.store.collect import Garbage
    from tasks.store.explain import Explanation
    from tasks.store.verify import Verification
    from tasks.store.versions import VersionDiff, VersionLine

_ENTITIES = 15
_NAMED = 20


def show_status(status: Status, each: bool = False) -> RenderableType:
    """Stages as lines, with the numbers of the missing shards; a line per shard where `each`."""
    reports = [shard.shard for shard in status.shards if not shard.reports]
    images = [shard.shard for shard in status.shards if not shard.images]
    total = len(status.shards)
    counted, known = status.counted, len(status.shards) - len(status.missing)
    lost = status.rejected
    table = Table("stage", "done", _whole("missing"), "rejected", title=f"{status.ref}", title_justify="left")
    table.add_row("reports", f"{total - len(reports)} of {total}", spans(reports), str(lost["reports"]))
    table.add_row("images", f"{total - len(images)} of {total}", spans(images), str(lost["images"]))
    table.add_row("committed", f"{known} of {total}", spans(status.missing), str(sum(lost.values())))
    table.add_row("published", "yes" if status.published else "no", "", "")
    lines: list[RenderableType] = [table]
    some = "" if len(counted) == known else f" in the {len(counted)} shards counted so far (--all counts every one)"
    lines.append(Text(f"{status.accepted} of {status.asked} pairs accepted{some}"))
    if not status.published and status.top_up:
        lines.append(Text(f"up to {status.top_up} more shards follow if the gates take too many"))
    lines += [_aside(status)] if status.aside else []
    return Group(*lines, *([_shards(status.shards)] if each else []))


def _aside(status: Status) -> Table:
    """The shards that are set aside, and how they are tried again."""
    how = f"set aside; `synth retry {status.ref.name}@{status.ref.version}` gives them their attempts again"
    table = Table("shard", "stage", "attempts", "host", _whole("error"), title=how, title_justify="left")
    for one in status.aside:
        times = f"{one.attempts}, {one.killed} killed" if one.killed else f"{one.attempts}"
        table.add_row(f"{one.shard:05d}", one.stage, times, one.host, f"{one.error}: {one.message}")
    return table


def show_versions(lines: Iterable[VersionLine], root: str) -> RenderableType:
    """One line per version."""
    table = Table(_whole("version"), "published", "pairs", "shards", "size", _whole("made from"), _whole("tags"))
    for line in lines:
        if line.trouble:
            table.add_row(f"{line.ref.name}@{line.ref.version}", "damaged", "", "", "", "", line.trouble)
        elif line.created is None:
            table.add_row(f"{line.ref.name}@{line.ref.version}", "not yet", "", "", "", "", ", ".join(line.tags))
        else:
            table.add_row(
                f"{line.ref.name}@{line.ref.version}",
                f"{line.created:%Y-%m-%d %H:%M}",
                f"{line.accepted}",
                f"{line.shards}",
                _size(line.size or 0),
                line.source or line.parent.rpartition("/")[2],
                ", ".join(line.tags),
            )
    return table if table.row_count else Text(f"no versions in {root}: `synth run` makes the first")


def show_diff(diff: VersionDiff) -> RenderableType:
    """What changed, in one table with a part for each kind."""
    table = Table(_whole(""), _whole(diff.before.version), _whole(diff.after.version))
    table.title, table.title_justify = f"{diff.before} and {diff.after}", "left"
    parts = {
        "recipe: what changes the samples": diff.recipe,
        "recipe: what does not": diff.settings,
        "what came of it": diff.facts,
        "entities": diff.entities[:_ENTITIES],
    }
    for title, changes in parts.items():
        if changes:
            table.add_section()
            table.add_row(Text(title, style="bold"))
            for change in changes:
                table.add_row(change.path, *_values(change))
    if not table.row_count:
        return Text(f"{diff.before} and {diff.after} do not differ")
    more = len(diff.entities) - _ENTITIES
    return Group(table, Text(f"and {more} more entities: --json shows them all")) if more > 0 else table


def show_explanation(found: Explanation) -> RenderableType:
    """Chapters with their facts; model text is shown as it is, never as markup."""
    table = Table(_whole(""), _whole(""), show_header=False, box=None, pad_edge=False)
    for chapter in found.chapters:
        table.add_row(Text(f"\n{chapter.title}", style="bold"))
        for name, value in chapter.facts:
            table.add_row(Text(f"  {name}"), Text(value))
    return Group(Text(f"\n{found.sample_id} in {found.ref}: {found.outcome}", style="bold underline"), table)


def show_verification(found: Verification) -> RenderableType:
    """The problems, object by object, or that there are none."""
    lines = [Text(f"{problem.object}: {problem.what}", style="red") for problem in found.problems]
    lines += [Text(f"note: {note}") for note in found.notes]
    verdict = f"{len(found.problems)} problems" if found.problems else "nothing wrong"
    checked = f"{found.objects} objects, {found.samples} samples, {_size(found.size)} read"
    return Group(*lines, Text(f"{found.ref}: {verdict} ({checked})", style="bold"))


def show_garbage(garbage: Garbage, applied: bool) -> RenderableType:
    """What goes or went, and what was left alone."""
    lines = [Text(f"{item.key}  {_size(item.size)}  {item.why}") for item in garbage.items]
    lines += [
        Text(f"left alone: {ref} is unfinished (its run resumes; --abandon gives it up)") for ref in garbage.unfinished
    ]
    lines += [Text(f"left alone: {ref}, since {why}") for ref, why in garbage.damaged.items()]
    lines += [Text(f"left alone: {key} is foreign") for key in garbage.foreign[:_NAMED]]
    if len(garbage.foreign) > _NAMED:
        lines.append(Text(f"left alone: {len(garbage.foreign) - _NAMED} more foreign objects"))
    size = _size(sum(item.size for item in garbage.items))
    done = "removed" if applied else "would be removed with --apply"
    return Group(*lines, Text(f"{len(garbage.items)} objects, {size}, {done}", style="bold"))


def _shards(shards: Iterable[ShardStatus]) -> Table:
    table = Table(
        "shard", "planned", "reports", "images", "commit", "reports\nrejected", "images\nrejected", "accepted"
    )
    for shard in shards:
        known = shard.written is not None and shard.accepted is not None
        numbers = (
            [shard.planned - (shard.written or 0), (shard.written or 0) - (shard.accepted or 0), shard.accepted]
            if known
            else [""] * 3
        )
        marks = ["done" if there else "missing" for there in (shard.reports, shard.images, shard.done)]
        table.add_row(f"{shard.shard:05d}", str(shard.planned), *marks, *map(str, numbers))
    return table


def _whole(header: str) -> Column:
    """A column that breaks long words instead of cutting them: ids, hashes and addresses are for copying."""
    return Column(header, overflow="fold")


def _values(change: FieldChange) -> tuple[str, str]:
    return _value(change.before), _value(change.after)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None or value == {} else str(value)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
