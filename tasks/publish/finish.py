"""Finish a version whose shards are committed: the card's files, then the manifest, last."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.ledger import load_reports
from storage.manifest import write_manifest
from storage.records import Manifest, PairRow, ShardEntry
from storage.versions import Version, VersionPlace
from tasks.generate.report_cost import EntityCost, shard_costs, total
from tasks.plan.bank import label_set_of
from tasks.publish.card import LIMITS, build_card
from tasks.publish.croissant import build_croissant
from tasks.publish.dataset import ManifestFacts, find_manifest_of, make_manifest
from tasks.publish.figures import Tally
from tasks.publish.files import keep_file, keep_text
from tasks.publish.privacy_figures import card_figures
from tasks.publish.provenance import Place
from tasks.publish.report import build_report
from tasks.publish.sheet import choose, read_films
from tasks.publish.table import RecordTable
from tasks.publish.terms import inherit
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.schema import Recipe

COSTS = {"seconds_per_accepted_pair": "seconds per pair", "cost_per_accepted_pair": "cost per pair"}


def finish_version(
    place: VersionPlace,
    recipe: Recipe,
    shards: Sequence[ShardEntry],
    models: Mapping[str, Mapping[str, Any]],
    *,
    lineage: Mapping[str, str] | None = None,
) -> Manifest:
    """Write the card (see `write_card`) and ``manifest.json``; a finished version is left alone.

    Args:
        place: of the version.
        recipe: the whole recipe; its price gives the cost per accepted pair, its bank a part of the terms.
        shards: all committed shards.
        models: model cards by stage; licence and credentialed status are inherited from them.
        lineage: what the version was made from, by role.

    Raises:
        ManifestConflict: the version is finished with other shards.
    """
    mark = fingerprint(recipe)
    stored = find_manifest_of(place, shards, mark)
    if stored is not None:
        return stored
    terms = inherit(recipe, models)
    sources, copies = [source.model_dump() for source in terms.sources], card_figures(recipe)
    facts = ManifestFacts(
        fingerprint=mark,
        asked=recipe.pairs,
        models=models,
        lineage=lineage,
        statistics={**cost(recipe, shards), "seed": recipe.seed, "sources": sources, "memorisation": copies},
        licence=terms.licence,
        credentialed=terms.credentialed,
        label_set=label_set_of(recipe.plan),
    )
    version = Version(place.store, place.ref, make_manifest(place, shards, facts))
    write_card(version, recipe.cost_per_hour)
    return write_manifest(place.store, place.ref, version.manifest)


def write_card(version: Version, cost_per_hour: float = 0.0) -> None:
    """README.md, report.html, croissant.json and records.parquet of a version; files that are there stay.

    Rows are read one shard at a time: 200,000 pairs need no more memory than one shard and their scores.

    Args:
        version: its manifest need not be written yet.
        cost_per_hour: of the machine, in any currency.
    """
    store, ref, manifest = version.store, version.ref, version.manifest
    wanted, tally, kept = choose(manifest), Tally(), list[tuple[PairRow, Place]]()
    spent: list[dict[str, EntityCost]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records.parquet")
        with RecordTable(path) as table:
            for entry in manifest.shards:
                pairs = version.shard_rows(entry)
                tally.add(entry, pairs, version.shard_rejects(entry))
                table.add(entry.shard, pairs)
                spent.append(_report_costs(version, entry, cost_per_hour))
                for at in wanted.get(entry.shard, ()):
                    assert entry.pairs is not None, entry.shard
                    kept.append((pairs[at], Place(entry.shard, entry.index.key, at, entry.pairs.key)))
        digest = keep_file(store, ref.card("records.parquet"), path)
    costs = {label: manifest.statistics[name] for name, label in COSTS.items() if name in manifest.statistics}
    facts = {**costs, **manifest.statistics.get("memorisation", {})}
    report = build_report(manifest, tally, read_films(version, kept), facts)
    keep_text(store, ref.card("croissant.json"), build_croissant(manifest, digest, LIMITS[0]), "application/ld+json")
    keep_text(store, ref.card("report.html"), report, "text/html; charset=utf-8")
    card = build_card(manifest, tally, facts, total(spent))
    keep_text(store, ref.card("README.md"), card, "text/markdown; charset=utf-8")


def _report_costs(version: Version, entry: ShardEntry, cost_per_hour: float) -> dict[str, EntityCost]:
    """What the shard's reports cost, by entity; nothing where it has no report stage."""
    stored = load_reports(version.store, version.ref, entry.shard)
    if stored is None or "reports" not in entry.seconds:
        return {}
    tokens = entry.counts.get("reports.tokens")
    return shard_costs(*stored, seconds=entry.seconds["reports"], tokens=tokens, cost_per_hour=cost_per_hour)


def cost(recipe: Recipe, shards: Sequence[ShardEntry]) -> dict[str, float]:
    """Seconds and currency per accepted pair, all stages together; nothing when nothing was accepted."""
    seconds = sum(sum(shard.seconds.values()) for shard in shards)
    accepted = sum(shard.accepted for shard in shards)
    if not accepted or not seconds:
        return {}
    each = seconds / accepted
    return dict(zip(COSTS, (each, each / 3600 * recipe.cost_per_hour), strict=True))
