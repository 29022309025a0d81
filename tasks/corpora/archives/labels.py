"""Label cells of a table, each with the row and film that a message can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import mark_of
from tasks.corpora.archives.tables import Row


def label_of(row: Row, column: str, film: str) -> int | None:
    """The cell as 1 (present), 0 (absent) or -1 (uncertain); None where it is blank or there is no such column.

    Raises:
        ArchiveError: it is no label; the message names the row and `film`.
    """
    try:
        return mark_of(row.get(column))
    except ValueError as error:
        raise ArchiveError(f"{row.where} ({film}), column {column}: {error}") from error


def labels_in(row: Row, columns: Sequence[str], film: str) -> dict[str, int]:
    """The labels of a row that are not blank; see `label_of`."""
    found = ((name, label_of(row, name, film)) for name in columns)
    return {name: mark for name, mark in found if mark is not None}


def strongest(marks: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """One mark of several readers: present where any saw it, else uncertain where any was, else absent."""
    return {name: 1 if 1 in own else -1 if -1 in own else 0 for name, own in marks.items() if own}
