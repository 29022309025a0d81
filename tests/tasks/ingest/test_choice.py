"""Which films are ingested, and what is told where there is none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.registry import open_archive
from tasks.ingest.choice import FilmChoice, Listing, choice_of, list_films, read_kept, share_of
from tasks.recipe.sources import SourceSection
from tests.tasks.corpora.archives.conftest import Tree

HEAD = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    """Forty films of twenty patients, in both views and both splits."""
    tree = Tree(tmp_path)
    rows = [f"{at:08d}.png,Mass,0,{at // 2},60,{'FM'[at // 2 % 2]},{'PA' if at % 4 else 'AP'}" for at in range(40)]
    tree.text("Data_Entry_2017.csv", HEAD + "\n".join(rows) + "\n")
    tree.text("train_val_list.txt", "".join(f"{at:08d}.png\n" for at in range(30)))
    tree.text("test_list.txt", "".join(f"{at:08d}.png\n" for at in range(30, 40)))
    for at in range(40):
        tree.image(f"images/{at:08d}.png")
    return tmp_path


def listed(root: Path, choice: FilmChoice) -> Listing:
    return list(list_films(open_archive(root), choice))[-1]


def of(root: Path, **fields: object) -> FilmChoice:
    return choice_of(SourceSection.model_validate({"source": f"nih:{root}", **fields}))


def test_split_view_and_sex_choose(nih: Path) -> None:
    assert listed(nih, of(nih)).taken == 40
    found = listed(nih, of(nih, split="test", where={"view": ["pa"], "sex": ["F"]}))
    assert (found.taken, found.left_out) == (2, {"of another split": 30, "of another view": 2, "of another sex": 6})
    assert found.splits == {"train": 30, "test": 10}


def test_parts_share_no_patient_and_leave_none_out(nih: Path) -> None:
    archive = list(open_archive(nih).films())
    parts = [
        {film.patient for film in archive if of(nih, part=part).left_out(film) is None} for part in ("0-70", "70-100")
    ]
    assert parts[0] | parts[1] == {film.patient for film in archive}
    assert not parts[0] & parts[1]
    assert 8 <= len(parts[0]) <= 19


def test_a_part_is_about_as_large_as_it_says() -> None:
    films = [ArchiveFilm(str(at), Path(str(at))) for at in range(5000)]
    assert sum(share_of(film) < 20 for film in films) == pytest.approx(1000, abs=120)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"split": "tain"}, r"no film is taken \(40 of another split\); splits there: train 30, test 10"),
        ({"where": {"view": ["LL"]}}, r"40 of another view\); views there: PA 30, AP 10"),
    ],
)
def test_where_nothing_is_taken_it_is_told_what_there_is(nih: Path, fields: dict[str, object], told: str) -> None:
    with pytest.raises(ArchiveError, match=told):
        listed(nih, of(nih, **fields))


def test_the_fingerprint_is_of_tables_and_files(nih: Path) -> None:
    first = listed(nih, of(nih)).sha256
    assert listed(nih, of(nih)).sha256 == first
    Tree(nih).text("train_val_list.txt", "".join(f"{at:08d}.png\n" for at in range(29)))
    second = listed(nih, of(nih)).sha256
    (nih / "images" / "00000003.png").write_bytes(b"x")
    assert len({first, second, listed(nih, of(nih)).sha256}) == 3


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_cleaned_index_keeps(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"index.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"film": ["a", "b"], "kept": [True, False], "score": [1.0, 2.0]}), path)
    else:
        path.write_text("film,kept\na,True\nb,false\n", encoding="utf-8")
    assert read_kept(path) == {"a"}


def test_a_list_of_films_without_a_verdict_keeps_them_all(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("film\na\nb\n", encoding="utf-8")
    assert read_kept(path) == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id\na\n", "it has no column film"),
        ("film,kept\na,no\n", "keeps none of its 1 films; .* run synth audit archive again with --good FILE"),
        ("film,kept,reasons\na,false,defects\nb,false,defects\n", "none of its 2 films; an audit without --good"),
        ("film,kept\na,maybe\n", "holds 'maybe', which is neither true nor false"),
    ],
)
def test_an_index_that_is_none_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "index.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArchiveError, match=told):
        read_kept(path)


def test_an_index_that_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="No such file"):
        read_kept(tmp_path / "index.parquet")
    (tmp_path / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArchiveError, match=r"index\.parquet is no cleaned index"):
        read_kept(tmp_path / "index.parquet")
    with pytest.raises(ArchiveError, match="No such file"):
        choice_of(SourceSection(source="nih:x", keep=str(tmp_path / "none.csv")))
