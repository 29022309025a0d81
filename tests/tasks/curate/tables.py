"""Tables of pairs from rows in memory."""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import PairRow
from storage.tables import to_parquet
from tasks.curate.table import PairTable, join_frames, read_frame


def table_of(rows: Sequence[PairRow]) -> PairTable:
    """The table of a version that holds `rows`."""
    return join_frames([read_frame(to_parquet(rows, kind=PairRow), "rows")])
