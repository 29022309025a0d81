"""The dataset card: ``card/README.md`` with the header that the Hugging Face hub reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from storage.records import Manifest
from tasks.generate.report_cost import EntityCost, table
from tasks.markdown import markdown_cell
from tasks.publish.figures import Tally, stages, yields
from tasks.publish.readers import source_of_read_pairs

TEMPLATES = Path(__file__).parent / "templates"
LIMITS = (
    "Not for clinical use, and no evidence about patients: films and reports are generated and show no patient.",
    "A model trained on these pairs must be tested on real films before anyone relies on it.",
    "A film is only as faithful to its report as the image gates measured; a score is not a reading by a radiologist.",
    "Entities are balanced by plan, so their frequencies say nothing about how common a finding is.",
    "A finding that a report does not mention is unknown, not absent.",
    "Retries and gates favour what the generators do well: compare planned and accepted counts before trusting "
    "a rare entity.",
)
LEARNT = (
    "The memorisation gate was tried on planted copies (below); of copies that a generator has really learnt it finds "
    "fewer (the project's docs/privacy.md), so passing it does not show that a film is new."
)
ENTITIES = 100
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HUB_LICENCES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "openrail", "unknown"}


def build_card(
    manifest: Manifest,
    tally: Tally | None = None,
    costs: Mapping[str, float] | None = None,
    by_entity: Sequence[EntityCost] = (),
) -> str:
    """Markdown with a YAML header: counts, yields, gates, terms, limits, seeds, models, and how to read the pairs.

    Args:
        manifest: of the version.
        tally: of its rows, for gates and yields; None for an archive.
        costs: further lines of the summary table, name to value.
        by_entity: what reports cost by entity, the dearest first.
    """
    tally = tally or Tally()
    return (
        markdown_templates()
        .get_template("card.md.j2")
        .render(
            header=header_of(manifest, ["chest-x-ray", "radiology", "synthetic", "webdataset"]),
            manifest=manifest,
            yields=yields(manifest, tally.planned),
            gates=tally.gates(),
            stages=stages(manifest, tally.rejected_in),
            costs=costs or {},
            by_entity=table(by_entity) if by_entity else [],
            limits=(*LIMITS, LEARNT) if manifest.statistics.get("memorisation") else LIMITS,
            seed=manifest.statistics.get("seed"),
            sources=manifest.statistics.get("sources", []),
            entities=sorted(manifest.entity_counts.items(), key=lambda item: (-item[1], item[0]))[:ENTITIES],
        )
    )


def markdown_templates() -> Environment:
    """Templates of Markdown files: values are escaped by ``cell``, not as HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = markdown_cell
    environment.globals["read_pairs"] = source_of_read_pairs()
    return environment


def header_of(manifest: Manifest, tags: Sequence[str]) -> str:
    """The YAML header that the Hugging Face hub reads."""
    header = {
        "pretty_name": f"{manifest.dataset} {manifest.version}",
        **_licence(manifest.licence),
        "language": ["en"],
        "task_categories": ["image-to-text", "text-to-image", "zero-shot-image-classification"],
        "tags": list(tags),
        "size_categories": [next((name for limit, name in _SIZES if manifest.accepted < limit), "n>1M")],
        "configs": [
            {"config_name": "default", "data_files": "pairs/*.tar"},
            {"config_name": "records", "data_files": "card/records.parquet"},
        ],
        "extra_gated_prompt": "Credentialed access only." if manifest.credentialed else None,
        "synthcxr": {
            "fingerprint": manifest.fingerprint,
            "asked": manifest.asked,
            "accepted": manifest.accepted,
            "rejected": manifest.rejected,
            "credentialed": manifest.credentialed,
        },
    }
    given = {name: value for name, value in header.items() if value is not None}
    return yaml.safe_dump(given, sort_keys=False, allow_unicode=True)


def _licence(licence: str) -> dict[str, str]:
    """The hub takes single licences by their lower-case names; anything else is ``other`` with its name."""
    known = licence.lower()
    return {"license": known} if known in _HUB_LICENCES else {"license": "other", "license_name": licence}
