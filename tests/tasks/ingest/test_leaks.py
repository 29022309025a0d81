"""A patient or a film in both training and test is an error that says how many, which, and what to do."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from storage.local import LocalStore
from storage.versions import VersionPlace, open_dataset
from tasks.curate.keep import write_selection
from tasks.curate.select import Choice, Selection
from tasks.ingest.ensure import SourceVersion
from tasks.ingest.ingest import ingest
from tasks.ingest.leaks import SourcesLeak, check_leaks, find_leaks
from tasks.recipe.curation import Rules
from tasks.recipe.sources import SourceSection
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.ingest.conftest import NIH_HEAD, write_nih


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def picture(seed: int) -> np.ndarray:
    """A film (96, 96) uint8 like no other."""
    return cv2.resize(np.random.default_rng(seed).integers(0, 255, (24, 24), np.uint8), (96, 96))


def put(store: LocalStore, root: Path, name: str, films: dict[str, np.ndarray]) -> SourceVersion:
    """Publish films by patient, in NIH's layout."""
    tree, rows = Tree(root / name), []
    for at, (patient, grey) in enumerate(films.items()):
        file = f"{name}{at}.png"
        rows.append(f"{file},Mass,0,{patient},60,F,PA,9,9,0.1,0.1")
        tree.image(f"images/{file}", grey)
    tree.text("Data_Entry_2017.csv", NIH_HEAD + "\n".join(rows) + "\n")
    return SourceVersion(ingest(store, SourceSection(source=f"nih:{tree.root}", name=name, size=96)).ref)


def select(store: LocalStore, source: SourceVersion, name: str, dropped: str) -> SourceVersion:
    """All of a version but one film."""
    rows = range(open_dataset(store, source.ref).accepted)
    ids = [f"{source.ref.name}-{row:06d}" for row in rows]
    choices = [Choice(sample_id=one, kept=one != dropped, reason="" if one != dropped else "test: out") for one in ids]
    write_selection(VersionPlace(store, source.ref), name, Selection(rules=Rules(), choices=choices))
    return SourceVersion(source.ref, name)


def test_what_shares_nothing_passes(store: LocalStore, tmp_path: Path) -> None:
    training = put(store, tmp_path, "train", {"1": picture(1), "2": picture(2)})
    test = put(store, tmp_path, "test", {"3": picture(3)})
    check_leaks(store, [training], [test])
    check_leaks(store, [], [test])


def test_a_patient_in_both_is_told_with_count_examples_and_remedy(store: LocalStore, tmp_path: Path) -> None:
    training = put(store, tmp_path, "train", {str(at): picture(at) for at in range(6)})
    test = put(store, tmp_path, "test", {str(at): picture(10 + at) for at in range(5)})
    with pytest.raises(SourcesLeak) as caught:
        check_leaks(store, [training], [test])
    told = str(caught.value)
    assert f"5 films of the test set {test} leak into the training set {training} (5 by patient)" in told
    for at in range(3):
        assert f"test-00000{at} and train-00000{at} (patient {at})" in told
    assert "test-000003" not in told
    assert "--part 0-80 and --part 80-100" in told


def test_the_same_film_under_another_patient_is_found_by_its_pixels(store: LocalStore, tmp_path: Path) -> None:
    training = put(store, tmp_path, "train", {"1": picture(1), "2": picture(2)})
    test = put(store, tmp_path, "test", {"3": picture(2)})
    (row,) = find_leaks(store, training, test)
    assert (row.test, row.training, row.kind) == ("test-000000", "train-000001", "film")


def test_a_near_copy_is_found_and_a_film_that_only_looks_alike_is_not(store: LocalStore, tmp_path: Path) -> None:
    grain = np.random.default_rng(0).integers(-3, 4, (96, 96))
    copied = np.clip(picture(2).astype(int) + grain, 0, 255).astype(np.uint8)
    training = put(store, tmp_path, "train", {"1": picture(1), "2": picture(2)})
    test = put(store, tmp_path, "test", {"3": copied, "4": picture(4), "5": 255 - picture(2)})
    (row,) = find_leaks(store, training, test)
    assert (row.test, row.training, row.kind) == ("test-000000", "train-000001", "near-copy")
    assert row.detail.endswith("of 256 bits differ")


def test_hashes_that_are_near_by_chance_are_no_copies(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = put(store, tmp_path, "train", {"1": picture(1)})
    test = put(store, tmp_path, "test", {"3": picture(3)})
    monkeypatch.setattr("tasks.ingest.leaks.BITS", 256)
    assert find_leaks(store, training, test) == []


def test_the_same_version_in_both_roles_is_told(store: LocalStore, tmp_path: Path) -> None:
    source = put(store, tmp_path, "train", {"1": picture(1)})
    with pytest.raises(SourcesLeak, match="is both trained on and tested on: name another test set"):
        check_leaks(store, [source], [source])


def test_a_selection_without_what_leaks_passes(store: LocalStore, tmp_path: Path) -> None:
    training = put(store, tmp_path, "train", {"1": picture(1), "2": picture(2)})
    test = put(store, tmp_path, "test", {"2": picture(5)})
    check_leaks(store, [select(store, training, "without", "train-000001")], [test])
    with pytest.raises(SourcesLeak, match="patient 2"):
        check_leaks(store, [select(store, training, "other", "train-000000")], [test])


def test_a_patients_id_means_nothing_in_another_archive(store: LocalStore, tmp_path: Path) -> None:
    training = put(store, tmp_path, "train", {"1": picture(1)})
    tree = Tree(tmp_path / "chexpert")
    tree.text("train.csv", "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema\n"
              "train/patient1/study1/view1_frontal.jpg,Male,5,Frontal,PA,1.0,\n")  # fmt: skip
    tree.image("train/patient1/study1/view1_frontal.jpg", picture(3))
    other = ingest(store, SourceSection(source=f"folder:{tree.root}", name="other", size=96)).ref
    check_leaks(store, [training], [SourceVersion(other)])


def test_what_was_found_is_kept(store: LocalStore, tmp_path: Path) -> None:
    training = put(store, tmp_path, "train", {"1": picture(1)})
    test = put(store, tmp_path, "test", {"1": picture(3)})
    first = find_leaks(store, training, test)
    for source in (training, test):
        for entry in open_dataset(store, source.ref).shards:
            store.delete(source.ref.key(entry.index.key))
    told: list[str] = []
    assert find_leaks(store, training, test, lambda stage, *_: told.append(stage)) == first
    assert told == []


def test_parts_of_one_archive_never_leak(store: LocalStore, tmp_path: Path) -> None:
    archive = write_nih(tmp_path / "nih", films=40)
    parts = [
        SourceVersion(ingest(store, SourceSection(source=f"nih:{archive}", name=name, size=64, part=part)).ref)
        for name, part in (("train", "0-60"), ("test", "60-100"))
    ]
    check_leaks(store, parts[:1], parts[1:])


def test_films_of_one_study_are_one_patients_where_no_table_names_patients(store: LocalStore, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "openi")
    tree.text("1.xml", "<eCitation><AbstractText Label='FINDINGS'>Clear.</AbstractText><parentImage id='CXR1_a'/>"
              "<parentImage id='CXR1_b'/></eCitation>")  # fmt: skip
    for at, name in enumerate(("CXR1_a", "CXR1_b")):
        tree.image(f"{name}.png", picture(at))
        (tmp_path / f"{name}.csv").write_text(f"film\n{name}\n")
    sides = [
        SourceVersion(
            ingest(store, SourceSection(source=f"openi:{tree.root}", size=96, keep=str(tmp_path / f"{name}.csv"))).ref
        )
        for name in ("CXR1_a", "CXR1_b")
    ]
    (leak,) = find_leaks(store, sides[0], sides[1])
    assert (leak.kind, leak.detail) == ("study", "study 1")
