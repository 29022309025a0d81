"""``card/croissant.json``: the version as Croissant 1.0 metadata (https://docs.mlcommons.org/croissant)."""

from __future__ import annotations

import json
import re
from typing import Any

from storage.layout import DatasetRef
from storage.records import Manifest, ShardEntry

_CONTEXT: dict[str, Any] = {
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "source": "cr:source",
    "transform": "cr:transform",
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}
_NO_SEMVER = re.compile(r"[^0-9A-Za-z.-]")
_COLUMNS = {"findings": False, "impression": False, "entities": True, "present": True, "absent": True}


def build_croissant(manifest: Manifest, table_sha256: str, limits: str) -> str:
    """JSON-LD with a hash for every file and two record sets: ``pairs`` (films and reports), ``reports`` (no films).

    Tars are addressed through dataset and version (``../../../<dataset>/<version>/pairs/…``), because readers cache an
    unpacked tar by its address, and ``../pairs/00000.tar`` would be the same for every dataset.

    Args:
        manifest: of the version.
        table_sha256: of ``card/records.parquet``.
        limits: what the data must not be used for.
    """
    shards = [entry for entry in manifest.shards if entry.pairs is not None]
    agreement = "Credentialed data: share it only under its sources' agreement. " if manifest.credentialed else ""
    real = "archive" in manifest.models
    what = (
        "pairs of a chest film of a patient and its text" if real else "pairs of a synthetic chest film and its report"
    )
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.dataset,
        "version": f"1.0.0+{_NO_SEMVER.sub('-', manifest.version)}",
        "alternateName": f"{manifest.dataset}/{manifest.version}",
        "description": f"{manifest.accepted} {what}. {agreement}{limits}",
        "citeAs": f"synthcxr {manifest.code_version}, {manifest.dataset} {manifest.version} ({manifest.fingerprint})",
        "url": f"../../../{DatasetRef(manifest.dataset, manifest.version)}/card/README.md",
        "license": manifest.licence,
        "isAccessibleForFree": not manifest.credentialed,
        "datePublished": f"{manifest.created:%Y-%m-%d}",
        "creator": {"@type": "Organization", "name": "synthcxr"},
        "keywords": ["chest X-ray", "radiology report", *([] if real else ["synthetic data"])],
        "inLanguage": "en",
        "rai:dataLimitations": limits,
        "distribution": [_table(table_sha256), *(_tar(manifest, entry) for entry in shards), *_films(shards)],
        "recordSet": [_reports(), *([_pairs()] if shards else [])],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _table(sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": "records",
        "name": "records.parquet",
        "description": "One row a pair: report, entities, findings known to be present and absent.",
        "contentUrl": "records.parquet",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256,
    }


def _tar(manifest: Manifest, entry: ShardEntry) -> dict[str, Any]:
    assert entry.pairs is not None, entry.shard
    return {
        "@type": "cr:FileObject",
        "@id": entry.pairs.key,
        "name": entry.pairs.key,
        "contentUrl": f"../../../{manifest.dataset}/{manifest.version}/{entry.pairs.key}",
        "contentSize": f"{entry.pairs.size} B",
        "encodingFormat": "application/x-tar",
        "sha256": entry.pairs.sha256,
    }


def _films(shards: list[ShardEntry]) -> list[dict[str, Any]]:
    tars = [{"@id": entry.pairs.key} for entry in shards if entry.pairs is not None]
    films = {"@type": "cr:FileSet", "@id": "films", "name": "films", "containedIn": tars}
    return [films | {"encodingFormat": "image/png", "includes": "*.png"}] if tars else []


def _reports() -> dict[str, Any]:
    fields = [_column("reports", "sample_id"), *(_column("reports", name, many) for name, many in _COLUMNS.items())]
    return {"@type": "cr:RecordSet", "@id": "reports", "name": "reports", "field": fields}


def _pairs() -> dict[str, Any]:
    """The join of film and report; its regular expression also matches its own result, as readers apply it twice."""
    sample = {
        "source": _from_film("filename") | {"transform": {"regex": r"^([^.]+)"}},
        "references": {"fileObject": {"@id": "records"}, "extract": {"column": "sample_id"}},
    }
    fields = [
        _field("pairs", "sample_id", "sc:Text") | sample,
        _field("pairs", "film", "sc:ImageObject") | {"source": _from_film("content")},
        *(_column("pairs", name, many) for name, many in _COLUMNS.items()),
    ]
    return {"@type": "cr:RecordSet", "@id": "pairs", "name": "pairs", "field": fields}


def _column(record_set: str, name: str, repeated: bool = False) -> dict[str, Any]:
    source = {"fileObject": {"@id": "records"}, "extract": {"column": name}}
    return _field(record_set, name, "sc:Text") | {"source": source} | ({"repeated": True} if repeated else {})


def _field(record_set: str, name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": f"{record_set}/{name}", "dataType": kind}


def _from_film(what: str) -> dict[str, Any]:
    return {"fileSet": {"@id": "films"}, "extract": {"fileProperty": what}}
