"""A source of any spelling leads to the dataset version that holds its films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.phantom.vocabulary import LABELS
from storage.errors import DatasetMissing, ObjectMissing
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.masks import decode_mask
from storage.tags import set_tag
from storage.versions import Version, open_dataset
from tasks.ingest.ensure import SourceVersion, ensure_source, need_source
from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import load_recipe
from tasks.recipe.sources import SourceSection

SAMPLE = SourceSection(source="phantom:b", films=12, size=64)
REF = DatasetRef("hospital-b", "v-12x64-7")
PROFILES = Path(__file__).parents[3] / "flows" / "profiles"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    store = LocalStore(tmp_path_factory.mktemp("ensure") / "store")
    drawn: list[tuple[str, int, int]] = []
    assert ensure_source(store, SAMPLE, lambda *told: drawn.append(told)) == SourceVersion(REF)
    assert drawn[-1] == ("hospital B", 12, 12)
    return store


def test_a_phantom_is_published_with_boxes_and_masks(store: LocalStore) -> None:
    manifest = open_dataset(store, REF)
    assert (manifest.label_set, manifest.accepted, manifest.licence) == ("phantom", 12, "Apache-2.0")
    rows = list(Version(store, REF, manifest).rows())
    assert {row.text_from for row in rows} == {"report"}
    assert {row.view for row in rows} <= {"PA", "AP"}
    assert all(list(row.labels) == list(LABELS) for row in rows)
    present = sum(sum(row.labels.values()) for row in rows)
    assert present > 4
    assert sum(len({box.finding for box in row.boxes}) for row in rows) == present
    for row in rows:
        for box in row.boxes:
            assert row.labels[box.finding] == 1
            area = decode_mask(next(mask for mask in row.masks if mask.finding == box.finding))
            assert area.shape == (64, 64)
            assert area[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)].any()


def test_a_spoilt_film_has_no_boxes_as_its_defect_may_have_moved_them(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    found = ensure_source(store, SourceSection(source="phantom:a", films=48, size=64))
    rows = list(Version.open(store, found.ref).rows())
    spoilt = [row for row in rows if row.provenance["defect"]]
    assert spoilt
    assert not any(row.boxes or row.masks for row in spoilt)


def test_a_published_phantom_is_found(store: LocalStore) -> None:
    drawn: list[tuple[str, int, int]] = []
    assert ensure_source(store, SAMPLE, lambda *told: drawn.append(told)) == SourceVersion(REF)
    assert drawn == []
    assert len(list(Version.open(store, REF).samples())) == 12


def test_a_version_is_found_by_its_name_or_a_tag(store: LocalStore) -> None:
    set_tag(store, REF, "champion")
    for spelling in ("hospital-b@v-12x64-7", "hospital-b@champion", "hospital-b@latest"):
        assert ensure_source(store, SourceSection(source=spelling)) == SourceVersion(REF)


def test_an_archive_is_ingested_once_and_then_found(store: LocalStore, nih: Path) -> None:
    section = SourceSection(source=f"nih:{nih}", name="real", size=64)
    told: list[tuple[str, int, int]] = []
    found = ensure_source(store, section, lambda *one: told.append(one))
    assert told[-1] == ("films", 12, 12)
    assert open_dataset(store, found.ref).accepted == 11
    told.clear()
    assert ensure_source(store, section, lambda *one: told.append(one)) == found
    assert told == [("listed", 12, 12)]


def test_what_is_not_there_is_named(store: LocalStore) -> None:
    with pytest.raises(DatasetMissing, match="hospital-b@v-12x64-7"):
        ensure_source(store, SourceSection(source="hospital-b@v9"))
    with pytest.raises(ObjectMissing, match="no selection 'clean' of hospital-b/v-12x64-7"):
        ensure_source(store, SourceSection(source="hospital-b@latest/clean"))


def test_a_source_that_is_needed_and_empty_is_told() -> None:
    recipe = load_recipe("local", ["sources.test=null"], PROFILES)
    assert need_source(recipe, "real") == recipe.sources.real
    with pytest.raises(RecipeError, match=r"sources\.test is empty and is needed here.*there are: real"):
        need_source(recipe, "test")


def test_the_films_are_those_of_the_hospital_whatever_is_published_beside_them(store: LocalStore) -> None:
    from models.phantom.archive import films, sampled
    from models.phantom.hospital import HOSPITALS
    from storage.png import decode_png

    first = next(iter(Version.open(store, REF).samples()))
    drawn = next(films(HOSPITALS["b"], 7, sampled(7, 12), 64))
    assert np.array_equal(decode_png(first.png), drawn.image)
