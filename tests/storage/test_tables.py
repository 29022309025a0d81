"""Parquet: whatever the rows hold comes back, and equal rows are equal bytes."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import CorruptShard
from storage.records import GateRow, PairRow, Record, RejectRow, ReportRow
from storage.tables import from_parquet, read_column, table_metadata, to_parquet

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | INT | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
GATES = st.lists(
    st.builds(GateRow, gate=TEXT, score=FLOAT, threshold=FLOAT, passed=st.booleans(), reason=TEXT, model=TEXT),
    max_size=3,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
COMMON: dict[str, Any] = {
    "sample_id": TEXT,
    "index": INT,
    "findings": TEXT,
    "impression": TEXT,
    "entities": st.lists(TEXT, max_size=3),
    "gates": GATES,
}
PAIRS = st.builds(
    PairRow,
    **COMMON,
    mentions=st.lists(OBJECT, max_size=3),
    labels=st.dictionaries(TEXT, INT, max_size=3),
    report_seed=INT,
    report_attempts=INT,
    report_tokens=INT,
    image_seed=INT,
    image_attempts=INT,
    prompt_tokens=st.none() | INT,
    png_sha256=TEXT,
    provenance=OBJECT,
)
REPORTS = st.builds(
    ReportRow,
    **COMMON,
    mentions=st.lists(OBJECT, max_size=3),
    seed=INT,
    attempts=INT,
    tokens=INT,
    tokens_all_attempts=INT,
)
REJECTS = st.builds(
    RejectRow, **COMMON, stage=TEXT, gate=TEXT, score=FLOAT, threshold=FLOAT, reason=TEXT, attempts=INT
)


@given(rows=st.lists(PAIRS, max_size=4) | st.lists(REPORTS, max_size=4) | st.lists(REJECTS, max_size=4))
def test_rows_come_back_as_they_were(rows: list[Record]) -> None:
    kind = type(rows[0]) if rows else PairRow
    data = to_parquet(rows, kind=kind)
    assert from_parquet(data, kind) == rows
    assert to_parquet(rows, kind=kind) == data


@pytest.mark.parametrize("kind", [PairRow, ReportRow, RejectRow])
def test_an_empty_table_keeps_its_columns(kind: type[Record]) -> None:
    data = to_parquet([], {"synthcxr.shard": "{}"}, kind=kind)
    assert from_parquet(data, kind) == []
    assert pq.read_schema(io.BytesIO(data)).names == list(kind.model_fields)
    assert table_metadata(data)["synthcxr.shard"] == "{}"


def test_an_empty_table_needs_its_kind() -> None:
    with pytest.raises(ValueError, match="kind"):
        to_parquet([])


def reject(**changes: Any) -> RejectRow:
    row = {"stage": "images", "gate": "finite", "score": 0.0, "threshold": 1.0, "reason": "", "attempts": 1}
    return RejectRow(sample_id="s7", index=7, entities=[], **(row | changes))


def test_a_score_that_is_no_number_survives() -> None:
    (row,) = from_parquet(to_parquet([reject(score=float("nan"))]), RejectRow)
    assert row.score != row.score


def test_gates_and_labels_can_be_queried_by_any_reader() -> None:
    gate = GateRow(gate="finite", score=0.5, threshold=1.0, passed=False)
    table = pq.read_table(io.BytesIO(to_parquet([reject(gates=[gate])])))
    rows: list[Any] = table["gates"].to_pylist()
    assert rows[0][0]["score"] == 0.5


def test_a_number_too_large_is_named_with_its_row() -> None:
    with pytest.raises(ValueError, match=r"row 1 \(s7\)"):
        to_parquet([reject(), reject(attempts=2**63)])


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"not parquet at all" * 10])
def test_what_is_no_table_is_called_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptShard):
        from_parquet(data, RejectRow)
    with pytest.raises(CorruptShard):
        table_metadata(data)


def test_a_table_of_other_rows_is_called_corrupt() -> None:
    with pytest.raises(CorruptShard, match="PairRow"):
        from_parquet(to_parquet([reject()]), PairRow)


def packed(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        packed(sample_id=pa.array(["s"] * 5_000_000)),
        packed(sample_id=["x" * (40 << 20)]),
        packed(sample_id=["x" * (1 << 20)] * 60),
    ],
    ids=["equal rows", "a long text", "a long text many times"],
)
def test_a_small_file_may_not_unpack_to_much(data: bytes) -> None:
    assert len(data) < 100_000
    for read in (lambda: from_parquet(data, RejectRow), lambda: read_column(data, "sample_id")):
        with pytest.raises(CorruptShard, match=r"bytes (claim to hold|unpack to more than)"):
            read()


def test_what_columns_hold_is_checked(rejects: list[RejectRow]) -> None:
    table = pq.read_table(io.BytesIO(to_parquet(rejects, kind=RejectRow)))
    for changed in (
        table.set_column(0, "sample_id", pa.array([1] * len(table))),
        table.drop_columns(["stage"]),
        table.append_column("surprise", pa.array([1] * len(table))),
    ):
        sink = io.BytesIO()
        pq.write_table(changed, sink)
        with pytest.raises(CorruptShard, match="not a table of RejectRow: ") as refused:
            from_parquet(sink.getvalue(), RejectRow)
        assert "\n" not in str(refused.value)


@pytest.fixture
def rejects() -> list[RejectRow]:
    return [
        RejectRow(sample_id=f"s{n}", index=n, stage="images", gate="g", score=0.1, threshold=0.5, reason="r",
                  attempts=1, entities=[])
        for n in range(3)
    ]  # fmt: skip


def test_a_column_is_read_alone(rejects: list[RejectRow]) -> None:
    data = to_parquet(rejects, kind=RejectRow)
    assert read_column(data, "sample_id") == ["s0", "s1", "s2"]
    assert read_column(to_parquet([], kind=RejectRow), "sample_id") == []
    with pytest.raises(CorruptShard, match="column 'nothing'"):
        read_column(data, "nothing")


def test_metadata_that_is_no_text_is_called_corrupt() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({b"k": b"\xff"}), sink)
    with pytest.raises(CorruptShard, match="not a Parquet table"):
        table_metadata(sink.getvalue())
