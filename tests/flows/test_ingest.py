"""`synth ingest`, as a flow and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.ingest import IngestParameters, ingest, notes_of, role_of, section_of
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.tags import resolve
from storage.versions import open_dataset
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS
from tasks.ingest.ingest import ingest as publish
from tasks.recipe.sources import SourceSection
from tests.flows.conftest import SmallFactory
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.corpora.archives.made import DEEP, dicom
from tests.tasks.ingest.conftest import film, write_nih


def asked(source: str, **fields: object) -> SourceSection:
    return section_of(IngestParameters.model_validate({"source": source, **fields}))


def test_a_source_or_a_path_with_a_layout_names_an_archive() -> None:
    assert asked("nih:/data/x").source == asked("/data/x", layout="nih").source == "nih:/data/x"
    assert asked("/data/x").source == "auto:/data/x"
    assert asked("nih:x", where=("view=PA,AP", "view=LL", "sex=F")).where == {
        "view": ("PA", "AP", "LL"), "sex": ("F",)
    }  # fmt: skip


def test_a_folder_may_have_a_colon_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ward:3").mkdir()
    assert asked("ward:3").source == "auto:ward:3"
    assert asked(f"{tmp_path}/a:b").source == f"auto:{tmp_path}/a:b"


def write_chexpert(root: Path) -> Path:
    """Two films of each split of CheXpert, with a support device in one of them."""
    tree = Tree(root)
    for number, split in enumerate(("train", "valid", "test")):
        rows = ""
        for at in range(2):
            place = f"{split}/patient000{number}{at}/study1/view1_frontal.jpg"
            tree.image(place, film(at))
            rows += f"CheXpert-v1.0-small/{place},Male,40,Frontal,AP,{','.join(str(at) for _ in OBSERVATIONS)}\n"
        tree.text(f"{split}.csv", f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(OBSERVATIONS)}\n{rows}")
    return root


@pytest.mark.parametrize(
    ("source", "fields", "told"),
    [
        ("phantom:a", {}, "phantom:a needs no ingesting: name an archive, such as nih:/data/nih"),
        ("a@b", {}, "a@b needs no ingesting"),
        ("nih:x", {"layout": "mimic"}, "nih:x and --layout mimic name two layouts"),
        ("x", {"layout": "nhi"}, "nhi: is neither phantom: nor a layout of archives"),
        ("nope:/x", {}, "nope: is neither phantom: nor a layout of archives (nih, chexpert, mimic,"),
        ("nope:/x", {"layout": "nih"}, "nope: is neither phantom: nor a layout of archives"),
        ("NIH:/x", {}, "NIH: is neither phantom: nor a layout of archives"),
        ("mimic-cxr:/x", {}, "mimic-cxr: is neither phantom: nor a layout of archives"),
        ("s3://bucket/films", {}, "s3: is neither phantom: nor a layout of archives"),
        ("nih:", {}, "nih: names no folder: write nih:PATH"),
        ("phantom:z", {}, "phantom:z is no phantom hospital"),
        ("nih:x", {"where": ("view",)}, "where: 'view' is no condition: write view=PA,AP or sex=F"),
        ("nih:x", {"where": ("age=9",)}, "where: 'age' is not allowed"),
        ("nih:x", {"part": "80-20"}, "part: 80-20 is no part: write two numbers from 0 to 100"),
        ("nih:x", {"name": "No Name", "text": "poem"}, "name: 'No Name' is not allowed"),
        ("nih:x", {"name": "No Name", "text": "poem"}, "text: 'poem' is not allowed"),
        ("nih:x", {"size": 8}, "size: 8 is not allowed"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_read(source: str, fields: dict[str, object], told: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        asked(source, **fields)
    assert told in str(caught.value)


@pytest.mark.server
def test_the_flow_publishes_and_finds(
    factory: SmallFactory, prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_nih(tmp_path / "nih")
    fields = {"source": f"nih:{archive}", "name": "real", "size": 64, **factory.parameters()}
    fields["overrides"] = [each for each in fields["overrides"] if each.startswith("storage")]
    result = ingest(**fields)
    assert prefect_server
    assert (result["films"], result["rejected"], result["text from"]) == (11, 1, "none 11")
    ref = resolve(factory.store, "real@latest")
    assert result["use"] == f"sources.test=real@{ref.version}", "without a text it cannot train"
    assert open_dataset(factory.store, ref).accepted == 11
    assert "11 of 11 films have no text, so they can test a model" in capsys.readouterr().err
    before = factory.objects()
    assert ingest(**fields)["dataset"] == result["dataset"]
    assert "is published already" in capsys.readouterr().err
    assert factory.objects() == before


@pytest.mark.parametrize(
    ("split", "fields", "role"),
    [
        ("train", {"text": "labels"}, "real"),
        ("train", {}, "test"),
        ("test", {"text": "labels"}, "test"),
        ("valid", {"text": "labels"}, "validation"),
        (None, {"text": "labels"}, "real"),
    ],
)
def test_a_version_is_offered_for_what_it_can_be_used_for(
    tmp_path: Path, split: str | None, fields: dict[str, str], role: str
) -> None:
    archive = write_chexpert(tmp_path / "chex")
    section = SourceSection.model_validate({"source": f"chexpert:{archive}", "size": 64, "split": split, **fields})
    assert role_of(publish(LocalStore(tmp_path / "store"), section)) == role


def notes(tmp_path: Path, source: str, text: str = "report") -> str:
    """What is noted of an archive as it is ingested, in one line."""
    section = SourceSection.model_validate({"source": source, "size": 64, "text": text})
    return "; ".join(notes_of(publish(LocalStore(tmp_path / "store"), section), section))


@pytest.mark.parametrize("text", ["report", "labels"])
def test_labels_are_offered_for_a_text_only_where_there_are_some(tmp_path: Path, text: str) -> None:
    tree = Tree(tmp_path / "films")
    tree.image("a.png", film(1))
    dicom(tree.root / "b.dcm", DEEP, 12)
    told = notes(tmp_path, f"folder:{tree.root}", text)
    assert "2 of 2 films have neither text nor labels" in told
    assert "a report beside each film, as NAME.txt" in told
    assert "--text labels" not in told


def test_blank_labels_are_told_where_texts_are_made_of_labels(tmp_path: Path) -> None:
    archive = write_chexpert(tmp_path / "chex")
    table = archive / "train.csv"
    head, first, second = table.read_text(encoding="utf-8").splitlines()
    blank = ",".join([*second.split(",")[:5], *[""] * len(OBSERVATIONS)])
    table.write_text(f"{head}\n{first}\n{blank}\n", encoding="utf-8")
    assert "have no text, so they can test a model and cannot train one; --text labels makes it from labels" in notes(
        tmp_path, f"chexpert:{archive}"
    )
    told = notes(tmp_path, f"chexpert:{archive}", "labels")
    assert "1 of 6 films have no text" in told
    assert "no report and no label that is a finding" in told


@pytest.mark.parametrize(("place", "role"), [("test/", "test"), ("validation/", "validation"), ("", "real")])
def test_an_archive_of_one_split_needs_no_split_named(tmp_path: Path, place: str, role: str) -> None:
    tree = Tree(tmp_path / "films")
    tree.image(f"{place}a.png", film(1))
    tree.text(f"{place}a.txt", "FINDINGS: Clear.\n\nIMPRESSION: Normal.")
    section = SourceSection(source=f"folder:{tree.root}", size=64)
    assert role_of(publish(LocalStore(tmp_path / "store"), section)) == role


@pytest.mark.server
def test_the_command_line_publishes_and_shows_the_version(
    factory: SmallFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    archive = write_nih(tmp_path / "nih")

    def said(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    root = ["--set", f"storage.root={factory.store.root}"]
    out = said("ingest", str(archive), "--name", "real", "--size", "64", "--text", "labels", *root)
    ref = resolve(factory.store, "real@latest")
    assert f"dataset real/{ref.version}" in out
    assert "text from labels 11" in out
    shown = said("versions", "real", "--root", str(factory.store.root))
    assert ref.version in shown
    assert "nih" in shown
    told = said("explain", "real-000000", "--root", str(factory.store.root))
    for fact in (
        "patient 0",
        "study 0/0",
        "view PA",
        "sex F",
        "age 50",
        "text from labels",
        "LicenseRef-NIH-ChestX-ray14",
    ):
        assert fact in told
    assert "Mass present" in told
    assert DatasetRef("real", ref.version).version in told


def test_what_is_wrong_is_one_line_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(app, ["ingest", "phantom:a"])
    assert result.exit_code == 2
    assert "phantom:a needs no ingesting" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("folder", "films holds no image file"),
        ("auto", "films holds no archive that is known"),
        ("nih", "films holds no Data_Entry"),
        ("openi", "films holds no indiana_projections.csv"),
    ],
)
def test_a_folder_without_a_film_is_refused_before_prefect_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, told: str
) -> None:
    def started(*_: object) -> None:
        pytest.fail("the flow was started")

    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("flows.cli.ingest.call_flow", started)
    Tree(tmp_path / "films").text("notes.txt", "no film")
    result = CliRunner().invoke(app, ["ingest", f"{layout}:{tmp_path}/films"])
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_help_teaches() -> None:
    out = CliRunner().invoke(app, ["ingest", "--help"]).output
    for word in ("synth ingest nih:/data/nih --name nih --split train --text labels", "--part", "rejects/"):
        assert word in out
