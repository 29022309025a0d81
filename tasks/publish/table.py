"""``card/records.parquet``: one row a pair in plain columns, for readers that take one file and no maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from storage.records import PairRow

SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("findings", pa.string(), nullable=False),
        pa.field("impression", pa.string(), nullable=False),
        pa.field("entities", pa.list_(pa.string()), nullable=False),
        pa.field("present", pa.list_(pa.string()), nullable=False),
        pa.field("absent", pa.list_(pa.string()), nullable=False),
    ]
)
"""`present` and `absent` hold the findings whose label is 1 and 0; one in neither is uncertain or not known."""


class RecordTable:
    """A table written shard by shard, so that only one shard is in memory; a context manager."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd", version="2.6")

    def __enter__(self) -> RecordTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, shard: int, pairs: Sequence[PairRow]) -> None:
        """Append one shard's pairs, in their order."""
        rows = [
            {
                "sample_id": row.sample_id,
                "shard": shard,
                "findings": row.findings,
                "impression": row.impression,
                "entities": row.entities,
                "present": [finding for finding, value in row.labels.items() if value == 1],
                "absent": [finding for finding, value in row.labels.items() if value == 0],
            }
            for row in pairs
        ]
        if rows:
            self._writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
