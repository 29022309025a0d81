"""The first rules: what a gate refuses, and what is there already, exactly or nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.curate.near import Edges, Near
from tasks.curate.table import PairTable
from tasks.recipe.curation import Rules


@dataclass(frozen=True, slots=True)
class State:
    """The input of a rule: the pairs, the rules, the neighbours, and the mask (n,) of what is kept so far."""

    table: PairTable
    rules: Rules
    near: Near
    kept: np.ndarray


Drops = Iterator[tuple[int, str]]
"""Rows to drop, each with the text of its reason after the rule's name."""


def refused(state: State) -> Drops:
    """What falls short of a threshold; NaN always does. The first gate in the pair's order is named."""
    table, rules = state.table, state.rules
    if not rules.gates:
        return
    table.check_gates(rules.thresholds)
    threshold = pl.col("gate").replace_strict(rules.thresholds, default=None, return_dtype=pl.Float64)
    short = (
        table.gates.with_columns(pl.coalesce(threshold, "threshold").alias("threshold"))
        .filter(pl.col("score").is_nan() | (pl.col("score") < pl.col("threshold")))
        .unique("row", keep="first", maintain_order=True)
    )
    for row, gate, score, limit in short.iter_rows():
        yield row, f"gate {gate}: {score:.4g} is below {limit:.4g}"


def same_image(state: State) -> Drops:
    """Copies of an image beyond the cap; earlier pairs win."""
    table, rules, kept = state.table, state.rules, state.kept
    for row in _beyond(table, kept, "png_sha256", rules.same_image):
        yield row, f"same image: more than {rules.same_image} pairs show it"


def same_report(state: State) -> Drops:
    """Copies of a report beyond the cap; earlier pairs win."""
    table, rules, kept = state.table, state.rules, state.kept
    for row in _beyond(table, kept, "report", rules.same_report):
        yield row, f"same report: more than {rules.same_report} pairs hold it"


def near_image(state: State) -> Drops:
    """Films whose perceptual hash is close to an earlier kept film's."""
    table, rules, near, kept = state.table, state.rules, state.near, state.kept
    if rules.near_image is not None:
        ids = table.pairs["sample_id"]
        for row, other, bits in _near(near.need("image"), -rules.near_image, kept):
            yield row, f"near image: {-bits:.0f} of 256 bits from {ids[other]}"


def near_film(state: State) -> Drops:
    """Films whose embedding is close to an earlier kept film's."""
    table, rules, near, kept = state.table, state.rules, state.near, state.kept
    if rules.near_film is not None:
        ids = table.pairs["sample_id"]
        for row, other, cosine in _near(near.need("film"), rules.near_film, kept):
            yield row, f"near film: cosine {cosine:.3f} with {ids[other]}"


def near_report(state: State) -> Drops:
    """Reports that share most of their wording with an earlier kept one, or all of it."""
    table, rules, near, kept = state.table, state.rules, state.near, state.kept
    if rules.near_report is None:
        return
    edges = near.need("report")
    close = edges.alike >= rules.near_report
    others: dict[int, list[tuple[int, float]]] = {}
    for one, other, share in zip(*(c[close].tolist() for c in (edges.later, edges.earlier, edges.alike)), strict=True):
        others.setdefault(one, []).append((other, share))
        others.setdefault(other, []).append((one, share))
    ids = table.pairs["sample_id"]
    wording = table.pairs.select(pl.col("row").first().over("report"))["row"].to_numpy()
    holder: dict[int, int] = {}  # wording to the row that was kept with it
    for row in np.flatnonzero(kept).tolist():
        own = int(wording[row])
        found = next(((o, s) for o, s in [(own, 1.0), *others.get(own, [])] if o in holder), None)
        if found is None:
            holder[own] = row
        else:
            yield row, f"near report: shares {found[1]:.0%} of its wording with {ids[holder[found[0]]]}"


def _beyond(table: PairTable, kept: np.ndarray, column: str, most: int) -> list[int]:
    left = table.pairs.filter(pl.Series(kept))
    return left.filter(pl.int_range(pl.len()).over(column) >= most)["row"].to_list()


def _near(edges: Edges, least: float, kept: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Rows with a kept earlier neighbour at least as alike as `least`; a dropped neighbour drops none."""
    alive = kept.copy()
    close = edges.alike >= least
    for later, earlier, alike in zip(
        edges.later[close].tolist(), edges.earlier[close].tolist(), edges.alike[close].tolist(), strict=True
    ):
        if alive[later] and alive[earlier]:
            alive[later] = False
            yield later, earlier, alike
