"""What a version offers to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.local import LocalStore
from storage.versions import Version
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS
from tasks.ingest.ensure import SourceVersion
from tasks.ingest.ingest import ingest
from tasks.pretrain.arms import ArmsDoNotFit, Draw
from tasks.pretrain.offers import offer_of
from tasks.pretrain.subset import open_subset, without_text
from tasks.recipe.sources import SourceSection
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.ingest.conftest import film

MARKS = ("1.0", "", "-1.0", "", "0.0", "")
"""Of cardiomegaly in six films; where it is blank, a film has no text."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Six films of CheXpert's layout without a report, of which three have a label."""
    tree = Tree(tmp_path / "chexpert")
    rows = []
    for at, mark in enumerate(MARKS):
        name = f"train/patient{at:05d}/study1/view1_frontal.jpg"
        tree.image(name, film(at))
        rows.append(f"{name},Male,50,Frontal,AP,{','.join(mark * (n == 'Cardiomegaly') for n in OBSERVATIONS)}\n")
    tree.text("train.csv", f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(OBSERVATIONS)}\n{''.join(rows)}")
    return tree.root


def published(store: LocalStore, archive: Path, text: str) -> Version:
    section = SourceSection.model_validate({"source": f"chexpert:{archive}", "size": 64, "text": text})
    return Version.open(store, ingest(store, section).ref)


def test_a_film_without_a_text_is_no_pair(tmp_path: Path, archive: Path) -> None:
    store = LocalStore(tmp_path / "store")
    version = published(store, archive, "labels")
    blank = {row.sample_id for row in version.rows() if row.text_from == "none"}
    assert len(blank) == 3
    assert without_text(version) == blank
    draw = offer_of(store, SourceVersion(version.ref))
    assert draw.pairs == 3
    subset = open_subset(store, draw, seed=0)
    assert not blank & {*subset.ids}
    assert len(subset.ids) == 3


def test_a_version_without_any_text_is_refused_with_the_remedy(tmp_path: Path, archive: Path) -> None:
    store = LocalStore(tmp_path / "store")
    version = published(store, archive, "report")
    with pytest.raises(ArmsDoNotFit, match="none of its films has a text to train on; ingest it with --text labels"):
        offer_of(store, SourceVersion(version.ref))


def test_labels_are_no_remedy_where_there_are_none(tmp_path: Path) -> None:
    Tree(tmp_path / "films").image("a.png", film(1))
    store = LocalStore(tmp_path / "store")
    ref = ingest(store, SourceSection(source=f"folder:{tmp_path}/films", size=64)).ref
    with pytest.raises(ArmsDoNotFit, match="none of its films has a text to train on, nor a label to make one from"):
        offer_of(store, SourceVersion(ref))


def test_more_pairs_than_have_a_text_cannot_be_drawn(tmp_path: Path, archive: Path) -> None:
    store = LocalStore(tmp_path / "store")
    version = published(store, archive, "labels")
    draw = Draw(
        dataset=version.ref.name, version=version.ref.version, fingerprint=version.manifest.fingerprint, pairs=6
    )
    with pytest.raises(ValueError, match="offers 3 pairs, but the arm takes 6"):
        open_subset(store, draw, seed=0)
