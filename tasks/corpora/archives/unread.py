"""Tables of a folder that a layout does not read, and which layout they are nearest to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import IMAGES
from tasks.corpora.archives.tables import ENDINGS, header_of, is_named, lacking, walk_files

DEPTH = 2  # levels of folders below the archive's
SHOWN = 3
LEAST = 1 / 3  # of a layout's columns, for a table to be near it
_AUDIT = ("index.parquet", "report.md")  # what an audit wrote into a folder of the archive is no table of it


def unread_tables(root: Path, reads: Sequence[str] = ()) -> list[Path]:
    """Tables in `root` and the folders below whose names match none of `reads`.

    A JSON file beside an image of its name describes that image and is no table.
    """
    return [
        path
        for path in walk_files(root, DEPTH, ENDINGS)
        if not is_named(path, reads) and not _of_an_audit(path, root) and not _of_an_image(path)
    ]


def no_layout(root: Path, tables: Sequence[Path], layouts: Mapping[str, Any]) -> ArchiveError:
    """What to raise where a folder has `tables` and no layout reads them: which, and what the nearest layout lacks.

    Args:
        root: the folder.
        tables: files in it.
        layouts: modules of `tasks.corpora.archives.layouts` by name, each with tables.
    """
    lines = [f"{root} holds {len(tables)} tables that no layout reads ({some(tables)})"]
    nearest = _nearest(tables, layouts)
    if nearest is not None:
        table, name, absent = nearest
        looks_for = layouts[name].LOOKS_FOR
        wanted = ", ".join(column.replace("|", " or ") for column in absent)
        lines.append(
            f"{table.name} is nearest to {name}, which needs the column {wanted} too"
            if absent
            else f"{table.name} has the columns of {name}: give it the name that is looked for ({looks_for})"
        )
    lines.append("to read the films alone, without the tables: --layout folder")
    return ArchiveError("; ".join(lines))


def some(paths: Sequence[Path]) -> str:
    """The names of the first few, and how many more there are."""
    shown = [path.name.encode("utf-8", "backslashreplace").decode() for path in paths[:SHOWN]]
    return ", ".join(shown) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


def _nearest(tables: Sequence[Path], layouts: Mapping[str, Any]) -> tuple[Path, str, list[str]] | None:
    """The table and layout that share the largest part of the columns the layout needs, and what is missing."""
    best: tuple[float, Path, str, list[str]] | None = None
    for table in tables:
        if not table.name.lower().removesuffix(".gz").endswith((".csv", ".tsv")):
            continue
        names = header_of(table)
        for name, layout in layouts.items():
            absent = lacking(names, layout.NEED)
            share = 1 - len(absent) / len(layout.NEED)
            if share >= LEAST and (best is None or share > best[0]):
                best = share, table, name, absent
    return best[1:] if best else None


def _of_an_audit(path: Path, root: Path) -> bool:
    folders = [path.parent, *path.parent.parents][: len(path.relative_to(root).parts)]
    return any(all((folder / name).is_file() for name in _AUDIT) for folder in folders)


def _of_an_image(path: Path) -> bool:
    return path.suffix.lower() == ".json" and any(path.with_suffix(ending).is_file() for ending in IMAGES)
