"""The later rules: which of the pairs that are good enough are wanted, and how many of each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import polars as pl

from tasks.curate.copies import Drops, State
from tasks.curate.near import Near
from tasks.curate.table import PairTable
from tasks.recipe.curation import EVERY_OTHER, FILM_COSINE, Balance


def top(state: State) -> Drops:
    """What is not among the best scored, of all or of each finding; equal scores: the earlier pair is better."""
    table, rules, kept = state.table, state.rules, state.kept
    if rules.top is None:
        return
    score, share = table.scores(rules.top.gate), rules.top.share
    groups = list(_by_finding(table, kept).values()) if rules.top.per_finding else [np.flatnonzero(kept)]
    best = np.zeros(len(table), bool)
    for rows in groups:
        best[_best(rows, score, share)] = True
    for row in np.flatnonzero(kept & ~best).tolist():
        yield row, f"top: {rules.top.gate} {score[row]:.4g} is not in the best {share:.0%}"


def utility(state: State) -> Drops:
    """Drop the pairs of least utility: little agreement, common findings, a film near another."""
    table, rules, near, kept = state.table, state.rules, state.near, state.kept
    weights = rules.utility
    if weights is None:
        return
    rows = np.flatnonzero(kept)
    parts = [
        (weights.agreement, lambda: table.scores(weights.gate)[rows]),
        (weights.rarity, lambda: -_commonness(table, kept)[rows]),
        (weights.novelty, lambda: -_likeness(table, near, kept)[rows]),
    ]
    total = sum(weight for weight, _ in parts)
    value = sum(weight / total * _ranks(part()) for weight, part in parts if weight)
    worth = np.zeros(len(table))
    worth[rows] = value
    best = np.zeros(len(table), bool)
    best[_best(rows, worth, weights.share)] = True
    for row in np.flatnonzero(kept & ~best).tolist():
        yield row, f"utility: {worth[row]:.3f} is not in the best {weights.share:.0%}"


def balance(state: State) -> Drops:
    """What would lift a finding over its target. Pairs whose rarest finding is rarest come first."""
    table, rules, kept = state.table, state.rules, state.kept
    if rules.balance is None or not kept.any():
        return
    counts, common = table.counts(kept), _commonness(table, kept)
    targets = _targets(rules.balance, counts)
    order = np.flatnonzero(kept)[np.argsort(common[kept], kind="stable")]
    for row, finding in _over(table, order, targets.__getitem__):
        yield row, f"balance: {finding} has its {targets[finding]} pairs"


def caps(state: State) -> Drops:
    """What shows a finding beyond its cap; earlier pairs win.

    Raises:
        ValueError: a cap is for a finding that no pair shows.
    """
    table, rules, kept = state.table, state.rules, state.kept
    if not rules.caps:
        return
    known = table.findings["finding"].unique().to_list()
    _check_findings("caps", rules.caps, known)
    most = {name: rules.caps.get(name, rules.caps.get(EVERY_OTHER, len(table))) for name in known}
    for row, finding in _over(table, np.flatnonzero(kept), most.__getitem__):
        yield row, f"cap: {finding} has its {most[finding]} pairs"


def _targets(rule: Balance, counts: Mapping[str, int]) -> dict[str, int]:
    """Most pairs of each finding; one that is not weighted is not held back."""
    _check_findings("balance.weights", rule.weights, counts)
    weights = {name: rule.weights.get(name, rule.weights.get(EVERY_OTHER)) for name in counts}
    scale = rule.pairs or min((counts[name] / weight for name, weight in weights.items() if weight), default=0)
    unheld = sum(counts.values())
    return {
        name: max(1, int(weight * scale * (1 + rule.tolerance))) if weight else unheld
        for name, weight in weights.items()
    }


def _check_findings(where: str, named: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(named) - set(known) - {EVERY_OTHER})
    if unknown:
        raise ValueError(f"{where}: no pair shows {unknown[0]!r}; findings there are: {', '.join(sorted(known))}")


def _over(table: PairTable, order: np.ndarray, most: Callable[[str], int]) -> Drops:
    """Walk the rows in `order`; give each that shows a finding which has `most` rows already."""
    shown = _shown(table)
    have: Counter[str] = Counter()
    for row in order.tolist():
        full = next((finding for finding in shown[row] if have[finding] >= most(finding)), None)
        if full is None:
            have.update(shown[row])
        else:
            yield row, full


def _shown(table: PairTable) -> list[list[str]]:
    return table.findings.group_by("row", maintain_order=True).agg("finding")["finding"].to_list()


def _by_finding(table: PairTable, kept: np.ndarray) -> dict[str, np.ndarray]:
    left = table.findings.filter(pl.Series(kept[table.findings["row"].to_numpy()]))
    groups = left.group_by("finding", maintain_order=True).agg("row")
    return {finding: np.asarray(rows) for finding, rows in groups.iter_rows()}


def _commonness(table: PairTable, kept: np.ndarray) -> np.ndarray:
    """How many kept pairs show each pair's rarest finding, by row."""
    counts = table.counts(kept)
    count = pl.col("finding").replace_strict(counts, default=0, return_dtype=pl.Int64)
    rarest = table.findings.group_by("row").agg(count.min().alias("count")).sort("row")
    return rarest["count"].to_numpy().astype(float)


def _likeness(table: PairTable, near: Near, kept: np.ndarray) -> np.ndarray:
    """Cosine with the nearest other kept film; what lies below the measured floor counts as the floor."""
    edges = near.need("film")
    most = np.full(len(table), FILM_COSINE)
    both = kept[edges.later] & kept[edges.earlier]
    for end in (edges.later[both], edges.earlier[both]):
        np.maximum.at(most, end, edges.alike[both])
    return most


def _best(rows: np.ndarray, score: np.ndarray, share: float) -> np.ndarray:
    """The best `share` of `rows`, rounded up; what has no score comes last."""
    order = np.argsort(-np.nan_to_num(score[rows], nan=-np.inf), kind="stable")
    return rows[order[: int(np.ceil(len(rows) * share))]]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks 0 to 1, equal values sharing their mean rank; what has no value counts as the least."""
    from scipy.stats import rankdata

    return (rankdata(np.nan_to_num(values, nan=-np.inf)) - 1) / max(1, len(values) - 1)
