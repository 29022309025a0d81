"""Card and report: everything is there, nothing is trusted, nothing is fetched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from storage.layout import DatasetRef
from storage.ledger import commit_shard
from storage.objects import ObjectStore
from storage.png import decode_png, encode_png
from storage.records import Manifest, PairRow, RejectRow, ShardEntry
from storage.shards import Sample, sample_of
from tasks.publish.card import build_card
from tasks.publish.dataset import make_manifest
from tasks.publish.figures import gate_figures
from tasks.publish.finish import finish_version, sheet
from tasks.publish.report import build_report
from tasks.recipe.schema import Recipe

Make = Callable[..., Sample]
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)> "quoted" & done'
RECIPE = Recipe(pairs=6, report_gates=(), image_gates=())


class Outline(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def entry(
    local_store: ObjectStore, ref: DatasetRef, make_pair: Make, make_reject: Callable[..., RejectRow]
) -> ShardEntry:
    pairs = [make_pair(number) for number in range(5)]
    evil = make_pair(5, findings=EVIL, impression=EVIL, entities=[EVIL])
    rejects = [make_reject(6), make_reject(7).model_copy(update={"reason": EVIL, "impression": EVIL})]
    seconds = {"reports": 6.0, "images": 12.0}
    return commit_shard(local_store, ref, 0, pairs=[*pairs, evil], rejects=rejects, seconds=seconds, counts={})


@pytest.fixture
def manifest(local_store: ObjectStore, ref: DatasetRef, entry: ShardEntry) -> Manifest:
    models = {"images": {"kind": "diffusers", "name": EVIL, "revision": "r1", "licence": "Apache-2.0"}}
    return make_manifest(
        local_store, ref, [entry], fingerprint="f" * 64, asked=6, models=models, lineage={"weights": EVIL}
    )


@pytest.fixture
def page(local_store: ObjectStore, ref: DatasetRef, manifest: Manifest) -> str:
    from storage.versions import pair_rows, reject_rows

    pairs, rejects = list(pair_rows(local_store, ref, manifest)), list(reject_rows(local_store, ref, manifest))
    images = sheet(local_store, ref, manifest)
    return build_report(manifest, pairs, images, rejects, {"abnormality/pleural effusion": 8, EVIL: 1}, {EVIL: EVIL})


def test_a_report_text_is_text_and_never_markup(page: str) -> None:
    outline = Outline(page)
    assert len(outline.all("script")) == 1
    assert not [attributes for _, attributes in outline.tags if any(name.startswith("on") for name in attributes)]
    assert {image["src"][:22] for image in outline.all("img") if image["src"]} == {"data:image/png;base64,"}
    assert len(outline.all("img")) == 6
    assert outline.text.count("<script>alert") >= 5


def test_the_page_asks_nothing_of_the_network(page: str) -> None:
    outline = Outline(page)
    policy = next(meta["content"] for meta in outline.all("meta") if meta.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert not outline.all("link")
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?https?:""", page)
    assert all((link["href"] or "").startswith("#") for link in outline.all("a"))


def test_the_page_shows_films_scores_rejects_balance_and_throughput(page: str) -> None:
    text = Outline(page).text
    for words in ("Small left pleural effusion.", "contrast", "no lung found on the left", "two_lungs", "5 / 8"):
        assert words in text
    for words in ("75.0%", "Accepted pairs per second", "reports", "0.5"):
        assert words in text
    assert "prefers-color-scheme: dark" in page


def test_an_empty_version_still_has_a_page(manifest: Manifest) -> None:
    empty = manifest.model_copy(update={"shards": [], "accepted": 0, "rejected": 0, "entity_counts": {}})
    page = build_report(empty, [], {}, [], {}, {})
    assert "No film was accepted." in page
    assert "Nothing was rejected." in page


def test_a_film_in_an_unknown_format_is_refused_by_name(manifest: Manifest, make_pair: Make) -> None:
    row = PairRow.model_validate(make_pair(1).json)
    with pytest.raises(ValueError, match="sample-00001"):
        build_report(manifest, [row], {row.sample_id: b"GIF89a"}, [], {}, {})


def test_the_card_has_a_header_that_the_hub_reads(manifest: Manifest, make_pair: Make) -> None:
    pairs = [PairRow.model_validate(make_pair(1).json)]
    card = build_card(manifest, gate_figures(pairs, []), {"cost per accepted pair": 0.00123})
    _, header, body = card.split("---\n", 2)
    document = yaml.safe_load(header)
    assert document["license"] == "apache-2.0"
    assert document["size_categories"] == ["n<1K"]
    assert document["synthcxr"] == {
        "fingerprint": "f" * 64,
        "asked": 6,
        "accepted": 6,
        "rejected": 2,
        "credentialed": False,
    }
    assert "webdataset.WebDataset(" in body
    assert "| contrast | 0.06 | 0.25 | 0.25 | 0 |" in body
    assert "<script>" not in body
    assert "0.00123" in body


def test_the_card_of_credentialed_data_says_so(manifest: Manifest) -> None:
    card = build_card(manifest.model_copy(update={"credentialed": True}))
    assert "Credentialed data" in card
    assert yaml.safe_load(card.split("---\n")[1])["extra_gated_prompt"]


def test_finishing_writes_card_report_and_manifest_once(
    local_store: ObjectStore, ref: DatasetRef, entry: ShardEntry
) -> None:
    manifest = finish_version(local_store, ref, RECIPE, [entry], {"images": {"name": "painter"}})
    assert manifest.statistics["seconds_per_accepted_pair"] == pytest.approx(3.0)
    assert manifest.statistics["cost_per_accepted_pair"] == pytest.approx(3.0 / 3600 * RECIPE.cost_per_hour)
    before = {info.key: local_store.get(info.key) for info in local_store.list()}
    assert {ref.card("README.md"), ref.card("report.html"), ref.manifest} <= before.keys()
    assert finish_version(local_store, ref, RECIPE, [entry], {}) == manifest
    assert {info.key: local_store.get(info.key) for info in local_store.list()} == before


def test_the_contact_sheet_is_small_and_spread(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    png = encode_png(np.zeros((600, 400), np.uint8))
    digest = hashlib.sha256(png).hexdigest()
    entries = []
    for shard in range(14):
        row = PairRow.model_validate(make_pair(shard).json).model_copy(update={"png_sha256": digest})
        pairs = [sample_of(row, png)]
        entries.append(commit_shard(local_store, ref, shard, pairs=pairs, rejects=[], seconds={}, counts={}))
    manifest = make_manifest(local_store, ref, entries, fingerprint="f", asked=14, models={})
    films = sheet(local_store, ref, manifest)
    assert len(films) == 12
    assert {"sample-00000", "sample-00013"} <= films.keys()
    assert {decode_png(film).shape for film in films.values()} == {(256, 171)}
    assert len(sheet(local_store, ref, manifest, films=5)) == 5
