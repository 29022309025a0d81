"""Card and report: everything is there, nothing is trusted, nothing is fetched."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from storage.errors import CorruptShard
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.objects import ObjectStore
from storage.png import encode_png
from storage.records import GateRow, Manifest, PairRow, RejectRow, ShardEntry
from storage.shards import Sample, sample_of
from storage.versions import Version, VersionPlace
from tasks.publish.dataset import ManifestFacts, make_manifest
from tasks.publish.figures import Tally
from tasks.publish.finish import finish_version
from tasks.publish.provenance import Place
from tasks.publish.report import build_report
from tasks.publish.sheet import SheetFilm, choose, read_films, thumbnail
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
    return commit_shard(local_store, ref, 0, ShardContents([*pairs, evil], rejects=rejects, seconds=seconds))


@pytest.fixture
def manifest(local_store: ObjectStore, ref: DatasetRef, entry: ShardEntry) -> Manifest:
    models = {"images": {"kind": "diffusers", "name": EVIL, "revision": "r1", "licence": "Apache-2.0"}}
    return make_manifest(
        VersionPlace(local_store, ref),
        [entry],
        ManifestFacts(fingerprint="f" * 64, asked=6, models=models, lineage={"weights": EVIL}),
    )


@pytest.fixture
def tally(local_store: ObjectStore, ref: DatasetRef, entry: ShardEntry, manifest: Manifest) -> Tally:
    tally = Tally()
    version = Version(local_store, ref, manifest)
    tally.add(entry, version.rows(), version.rejects())
    return tally


@pytest.fixture
def films(local_store: ObjectStore, ref: DatasetRef, manifest: Manifest) -> list[SheetFilm]:
    return sheet(Version(local_store, ref, manifest))


@pytest.fixture
def page(manifest: Manifest, tally: Tally, films: list[SheetFilm]) -> str:
    return build_report(manifest, tally, films, {EVIL: 1.0})


def sheet(version: Version, films: int = 96) -> list[SheetFilm]:
    """The contact sheet, as `finish_version` makes it."""
    wanted, kept = choose(version.manifest, films), []
    for entry in version.manifest.shards:
        rows = version.shard_rows(entry)
        assert entry.pairs is not None
        kept += [
            (rows[at], Place(entry.shard, entry.index.key, at, entry.pairs.key)) for at in wanted.get(entry.shard, ())
        ]
    return read_films(version, kept)


def test_a_report_text_is_text_and_never_markup(page: str) -> None:
    outline = Outline(page)
    assert len(outline.all("script")) == 1
    assert not [attributes for _, attributes in outline.tags if any(name.startswith("on") for name in attributes)]
    sources = [source for image in outline.all("img") if (source := image.get("src"))]
    assert {source[:23] for source in sources} == {"data:image/webp;base64,"}
    assert len(sources) == 6
    assert outline.text.count("<script>alert") >= 5


def test_the_page_asks_nothing_of_the_network(page: str) -> None:
    outline = Outline(page)
    policy = next(meta["content"] for meta in outline.all("meta") if meta.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "style-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert not [attributes for _, attributes in outline.tags if "style" in attributes]
    assert not outline.all("link")
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?https?:""", page)
    assert all((link["href"] or "").startswith("#") for link in outline.all("a"))


def test_the_page_shows_films_scores_rejects_balance_and_yields(page: str) -> None:
    text = " ".join(Outline(page).text.split())
    for words in ("Small left pleural effusion.", "contrast", "no lung found on the left", "two lungs", "5 / 7"):
        assert words in text
    for words in ("75.0%", "75.0 %", "Per second", "All 6 accepted pairs.", "All 2 samples", "Known limits"):
        assert words in text


def test_an_empty_version_still_has_a_page(manifest: Manifest) -> None:
    empty = manifest.model_copy(update={"shards": [], "accepted": 0, "rejected": 0, "entity_counts": {}})
    page = build_report(empty, Tally(), [], {})
    for words in ("No film was accepted.", "Nothing was rejected.", "No entities.", "No stage was timed."):
        assert words in page


def test_scores_that_are_no_numbers_do_not_break_the_page(
    manifest: Manifest, films: list[SheetFilm], entry: ShardEntry
) -> None:
    odd = [
        GateRow(gate="contrast", score=score, threshold=0.5, passed=False, reason="odd")
        for score in (float("nan"), float("inf"), float("-inf"), -3.0)
    ]
    rows = [films[0].row.model_copy(update={"gates": [gate]}) for gate in odd]
    rejects = [
        RejectRow(sample_id=f"r{at}", index=at, stage="images", gate="contrast", score=float(gate.score or 0),
                  threshold=0.5, reason="", attempts=1, entities=[], gates=[gate])
        for at, gate in enumerate(odd)
    ]  # fmt: skip
    tally = Tally()
    tally.add(entry, rows, rejects)
    page = build_report(manifest, tally, [replace(films[0], row=row) for row in rows], {})
    assert "nan" not in re.findall(r'(?:width|height|x|y)="([^"]*)"', page)
    gate = tally.gates()[0]
    assert (gate.low, gate.high, gate.rejected) == (-3.0, 1.0, 4)


def test_the_page_of_200_000_pairs_is_bounded_and_says_what_it_leaves_out(
    manifest: Manifest, films: list[SheetFilm], entry: ShardEntry
) -> None:
    """The worst that models can write: endless texts, thousands of entities and rejects, noise for films."""
    shards = [entry.model_copy(update={"shard": number, "accepted": 1000, "rejected": 40}) for number in range(200)]
    large = manifest.model_copy(update={"shards": shards, "accepted": 200_000, "rejected": 8_000})
    chosen = choose(large)
    assert len(chosen) == 12
    assert sum(map(len, chosen.values())) == 96
    assert {0, 199} <= chosen.keys()
    noise = thumbnail(encode_png(np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)))
    row = films[0].row.model_copy(update={"findings": "x" * 90_000, "impression": "<" * 90_000})
    shown = [
        SheetFilm(row, Place(shard, f"pairs/{shard:05d}.parquet", at, f"pairs/{shard:05d}.tar"), noise)
        for shard, rows in chosen.items()
        for at in rows
    ]
    tally = Tally()
    tally.planned.update({f"disease/entity {number}": 5 for number in range(40_000)})
    reject = RejectRow(sample_id="r", index=1, stage="images", gate="contrast", score=0, threshold=1, attempts=1,
                       reason="y" * 90_000, entities=["disease/z"], findings="f" * 90_000)  # fmt: skip
    tally.add(entry, [row], [reject] * 8_000)
    page = build_report(large, tally, shown, {})
    assert len(page) < 16_000_000
    text = page.replace("\n", " ")
    assert "A sample: 96 of 200,000 accepted pairs, spread evenly over 12 of 200 shards." in text
    assert "The first 200 of 8,000 samples" in text
    assert "39,977 entities between" in text
    assert "88,000 more characters" in text


def test_a_film_in_an_unknown_format_is_refused_by_name(
    manifest: Manifest, tally: Tally, films: list[SheetFilm]
) -> None:
    with pytest.raises(ValueError, match="sample-00000"):
        build_report(manifest, tally, [replace(films[0], image=b"GIF89a")], {})


def test_finishing_writes_card_report_and_manifest_once(
    local_store: ObjectStore, ref: DatasetRef, entry: ShardEntry
) -> None:
    manifest = finish_version(VersionPlace(local_store, ref), RECIPE, [entry], {"images": {"name": "painter"}})
    assert manifest.statistics["seconds_per_accepted_pair"] == pytest.approx(3.0)
    assert manifest.statistics["cost_per_accepted_pair"] == pytest.approx(3.0 / 3600 * RECIPE.cost_per_hour)
    before = {info.key: local_store.get(info.key) for info in local_store.list()}
    names = ("README.md", "report.html", "croissant.json", "records.parquet")
    assert {*map(ref.card, names), ref.manifest} <= before.keys()
    assert finish_version(VersionPlace(local_store, ref), RECIPE, [entry], {}) == manifest
    assert {info.key: local_store.get(info.key) for info in local_store.list()} == before


def test_a_finish_that_was_cut_off_goes_on_with_the_files_that_are_there(
    local_store: ObjectStore, ref: DatasetRef, entry: ShardEntry
) -> None:
    local_store.put(ref.card("records.parquet"), b"an earlier attempt's")
    finish_version(VersionPlace(local_store, ref), RECIPE, [entry], {})
    croissant = json.loads(local_store.get(ref.card("croissant.json")))
    assert croissant["distribution"][0]["sha256"] == hashlib.sha256(b"an earlier attempt's").hexdigest()


def test_the_contact_sheet_is_small_and_spread(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    png = encode_png(np.zeros((600, 400), np.uint8))
    digest = hashlib.sha256(png).hexdigest()
    entries = []
    for shard in range(14):
        row = PairRow.model_validate(make_pair(shard).json).model_copy(update={"png_sha256": digest})
        pairs = [sample_of(row, png)]
        entries.append(commit_shard(local_store, ref, shard, ShardContents(pairs)))
    manifest = make_manifest(
        VersionPlace(local_store, ref), entries, ManifestFacts(fingerprint="f", asked=14, models={})
    )
    version = Version(local_store, ref, manifest)
    films = sheet(version)
    assert len(films) == 12
    assert {"sample-00000", "sample-00013"} <= {film.row.sample_id for film in films}
    assert {Image.open(io.BytesIO(film.image)).size for film in films} == {(171, 256)}
    tar = local_store.get(ref.pairs(13))
    first, size = films[-1].place.spans["png"]
    assert tar[first : first + size] == png
    assert len(sheet(version, films=5)) == 5


def test_a_tar_that_lacks_a_film_of_its_index_is_named(
    local_store: ObjectStore, ref: DatasetRef, manifest: Manifest, films: list[SheetFilm]
) -> None:
    lost = films[0].row.model_copy(update={"sample_id": "lost"})
    with pytest.raises(CorruptShard, match=r"00000\.tar lacks lost"):
        read_films(Version(local_store, ref, manifest), [(lost, films[0].place)])
