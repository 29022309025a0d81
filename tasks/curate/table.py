"""Pairs as columns: what the rules use, read from a version's indices without building a row object."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa

from storage.errors import CorruptShard
from storage.records import PairRow
from storage.tables import check_claims, read_table_object, to_parquet
from storage.versions import Version
from tasks.recipe.curation import NO_FINDING

_COLUMNS = ["sample_id", "png_sha256", "findings", "impression", "labels", "gates"]
_SCORES = ("gate", "score", "threshold")


@dataclass(frozen=True, slots=True)
class PairTable:
    """The pairs of a version, in its order.

    Args:
        pairs: ``row``, ``sample_id``, ``png_sha256`` and ``report`` (letter case and spacing taken out).
        gates: one line a score: ``row``, ``gate``, ``score``, ``threshold``.
        findings: ``row``, ``finding``: what a film shows, or ``no finding``.
    """

    pairs: pl.DataFrame
    gates: pl.DataFrame
    findings: pl.DataFrame

    def __len__(self) -> int:
        return len(self.pairs)

    def scores(self, gate: str) -> np.ndarray:
        """Score by row; NaN where the gate did not score a pair.

        Raises:
            ValueError: it scored none.
        """
        self.check_gates([gate])
        ours = self.gates.filter(pl.col("gate") == gate)
        scores = np.full(len(self), np.nan)
        scores[ours["row"].to_numpy()] = ours["score"].to_numpy()
        return scores

    def check_gates(self, gates: Iterable[str]) -> None:
        """Raise ValueError, naming what there is, if no pair was scored by one of `gates`."""
        known = self.gates["gate"].unique().to_list()
        unknown = sorted(set(gates) - set(known))
        if unknown and len(self):
            there = ", ".join(sorted(known)) or "none"
            raise ValueError(f"no pair was scored by gate {unknown[0]!r}; scored were {there}")

    def counts(self, kept: np.ndarray) -> dict[str, int]:
        """How many of the pairs in the mask `kept` (n,) show each finding."""
        return dict(Counter(self.findings["finding"].filter(pl.Series(kept[self.findings["row"].to_numpy()]))))


def read_table(version: Version) -> PairTable:
    """The pairs of a published version.

    Raises:
        ObjectMissing, CorruptShard: an index is missing or damaged; the message names it.
        ValueError: two pairs have the same id.
    """
    store, keys = version.store, [version.ref.key(entry.index.key) for entry in version.manifest.shards]
    return join_frames([read_frame(read_table_object(store, key), store.uri(key)) for key in keys])


def read_frame(data: bytes, where: str) -> pl.DataFrame:
    """The columns that a `PairTable` is made of, from Parquet with rows of `PairRow`.

    Args:
        data: a file of Parquet.
        where: its address, for the message.

    Raises:
        CorruptShard: it is no such table.
    """
    try:
        check_claims(data)
        frame = pl.read_parquet(io.BytesIO(data), columns=_COLUMNS)
        _check_schema(frame.schema)
        scores = pl.element().struct.field(*_SCORES)  # a version may hold rows of an older format
        return frame.with_columns(pl.col("labels").map.entries(), pl.col("gates").list.eval(pl.struct(scores)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise CorruptShard(f"{where}: not a table of PairRow: {why}; `synth verify` lists what is damaged") from error


def _check_schema(found: pl.Schema) -> None:
    """Raises:
    ValueError: a column is of another type than ours; the gates may have other fields besides `_SCORES`.
    """
    gates = found["gates"]
    fields = gates.inner.fields if isinstance(gates, pl.List) and isinstance(gates.inner, pl.Struct) else []
    known = {name: kind for name, kind in _schema().items() if name != "gates"}
    if {name: found[name] for name in known} != known or not {field.name for field in fields} >= set(_SCORES):
        raise ValueError("its columns are of other types")


@cache
def _schema() -> pl.Schema:
    return pl.read_parquet(io.BytesIO(to_parquet([], kind=PairRow)), columns=_COLUMNS).schema


def join_frames(frames: Sequence[pl.DataFrame]) -> PairTable:
    """The table of all pairs of `frames` (`read_frame`), in their order.

    Raises:
        ValueError: two pairs have the same id.
    """
    whole = pl.concat(frames or [read_frame(to_parquet([], kind=PairRow), "rows")]).with_row_index("row")
    repeated = whole.filter(pl.col("sample_id").is_duplicated())
    if len(repeated):
        raise ValueError(f"sample ids must be unique: {repeated['sample_id'][0]!r} occurs more than once")
    report = pl.concat_str("findings", "impression", separator=" | ")
    plain = report.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    shown = _lines(whole, "labels").filter(pl.col("value") > 0)
    none = whole.select("row").join(shown, on="row", how="anti").with_columns(pl.lit(NO_FINDING).alias("finding"))
    findings = pl.concat([shown.select("row", pl.col("key").alias("finding")), none])
    return PairTable(
        pairs=whole.select("row", "sample_id", "png_sha256", plain.alias("report")),
        gates=_lines(whole, "gates").select("row", "gate", "score", "threshold"),
        findings=findings.sort("row", maintain_order=True),
    )


def _lines(whole: pl.DataFrame, column: str) -> pl.DataFrame:
    return whole.select("row", column).filter(pl.col(column).list.len() > 0).explode(column).unnest(column)
