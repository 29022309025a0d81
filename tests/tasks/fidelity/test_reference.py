"""References by name: which films of a hospital or archive are taken, into which half, and what they show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.findings.label_sets import load
from tasks.corpora.archives.errors import ArchiveError
from tasks.errors import AuditError
from tasks.fidelity.reference import in_set, open_reference

HEAD = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"


def nih(root: Path, rows: list[str], missing: tuple[str, ...] = ()) -> Path:
    """An archive of NIH's layout; a film's grey is its number."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "Data_Entry_2017.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows))
    for row in rows:
        name = row.partition(",")[0]
        if name not in missing:
            cv2.imwrite(str(root / name), np.full((40, 20), int(name[:-4]), np.uint8))
    return root


def test_the_phantoms_halves_share_no_film_and_are_sound() -> None:
    reference = open_reference("hospital_a")
    films = list(reference.halves(6, 64))
    assert [which for which, _ in films] == [0, 1] * 6
    assert len({film.pixels.tobytes() for _, film in films}) == 12
    assert films[0][1].pixels.shape == (64, 64)
    assert reference.read_as == {}
    again = next(iter(open_reference("hospital_a").halves(1, 64)))[1]
    assert np.array_equal(again.pixels, films[0][1].pixels)
    other = next(iter(open_reference("hospital_b").halves(1, 64)))[1]
    assert not np.array_equal(other.pixels, films[0][1].pixels)


class TestArchives:
    def test_no_patient_stands_in_both_halves(self, tmp_path: Path) -> None:
        rows = [f"{at}.png,Mass,0,patient-{at // 4},40,M,PA" for at in range(80)]
        halves = ({}, {})
        for which, film in open_reference(str(nih(tmp_path, rows))).halves(100, 64):
            halves[which][int(film.pixels[0, 0])] = 1
        patients = [{at // 4 for at in half} for half in halves]
        assert len(halves[0]) + len(halves[1]) == 80
        assert min(map(len, patients)) > 3
        assert not patients[0] & patients[1]

    def test_each_half_ends_at_its_number_and_is_not_the_tables_first_films(self, tmp_path: Path) -> None:
        rows = [f"{at}.png,Mass,0,{at},40,M,PA" for at in range(60)]
        films = list(open_reference(str(nih(tmp_path, rows))).halves(8, 64))
        assert [sum(which == half for which, _ in films) for half in (0, 1)] == [8, 8]
        assert max(int(film.pixels[0, 0]) for _, film in films) > 30

    def test_large_films_are_reduced_and_labels_are_read_as_findings(self, tmp_path: Path) -> None:
        rows = [f"{at}.png,Effusion|Pneumonia|Hernia,0,{at},40,M,AP" for at in range(2)]
        reference = open_reference(str(nih(tmp_path, rows)))
        (film,) = {(film.pixels.shape, tuple(sorted(film.labels.items()))) for _, film in reference.halves(2, 16)}
        assert film == ((16, 8), (("consolidation", 1), ("pleural effusion", 1)))
        assert reference.read_as["consolidation"] == ["Consolidation", "Pneumonia"]
        assert "hiatal hernia" not in reference.read_as

    def test_lateral_and_unreadable_films_are_left_out_and_counted(self, tmp_path: Path) -> None:
        views = ["PA", "LATERAL", "L", "ap", "", "PA"]
        rows = [f"{at}.png,Mass,0,{at},40,M,{view}" for at, view in enumerate(views)]
        reference = open_reference(str(nih(tmp_path, rows, missing=("5.png",))))
        for _ in range(2):  # a second reading counts anew
            assert sorted(int(film.pixels[0, 0]) for _, film in reference.halves(9, 64)) == [0, 3, 4]
            assert reference.left_out == {"not frontal": 2, "unreadable": 1}

    def test_an_archive_of_which_nothing_can_be_read_says_why(self, tmp_path: Path) -> None:
        rows = [f"{at}.png,Mass,0,{at},40,M,PA" for at in range(3)]
        reference = open_reference(str(nih(tmp_path, rows, missing=("0.png", "1.png", "2.png"))))
        with pytest.raises(
            AuditError, match=r"none of its 3 films can be compared: 3 unreadable.*the file is missing"
        ):
            list(reference.halves(5, 64))

    def test_a_layout_may_follow_the_folder(self, tmp_path: Path) -> None:
        root = nih(tmp_path / "cxr", ["1.png,Mass,0,1,40,M,PA"])
        assert open_reference(f"{root}").name == "cxr (nih)"
        assert open_reference(f"{root}/folder").name == "cxr (folder)"
        (root / "folder").mkdir()  # then it is the folder itself that is meant, and it is empty
        with pytest.raises(ArchiveError, match="holds no archive"):
            open_reference(f"{root}/folder")

    @pytest.mark.parametrize("spec", ["hospital_z", "nowhere", "nowhere/nih", "hospital_", ""])
    def test_what_names_nothing_is_refused_with_what_there_is(self, spec: str, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises((AuditError, ArchiveError), match=r"hospital_a, hospital_b|holds no archive"):
            open_reference(spec)

    def test_tables_without_a_film_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveError, match="layout nih, but its tables name no film"):
            open_reference(str(nih(tmp_path, [])))


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ({"pleural effusion": 1, "lung mass": 1}, {"Effusion", "Mass"}),
        ({"pleural effusion": 1, "lung mass": 0}, {"Effusion"}),
        ({"Pneumonia": -1, "scoliosis": 1}, set[str]()),
    ],
)
def test_labels_of_one_set_are_read_as_findings_of_another(labels: dict[str, int], shown: set[str]) -> None:
    assert in_set(labels, load("nih-14")) == dict.fromkeys(shown, 1)


def test_a_reference_is_read_in_the_findings_that_are_asked_for(tmp_path: Path) -> None:
    rows = [f"{at}.png,Effusion|Pneumonia|Hernia,0,{at},40,M,AP" for at in range(2)]
    reference = open_reference(str(nih(tmp_path, rows)), load("nih-14"))
    assert {"Hernia", "Pneumonia"} <= reference.read_as.keys()
    assert {tuple(sorted(film.labels)) for _, film in reference.halves(2, 16)} == {("Effusion", "Hernia", "Pneumonia")}
    films = [film for _, film in open_reference("hospital_a", load("nih-14")).halves(20, 64)]
    assert "Effusion" in {finding for film in films for finding in film.labels}
    assert "pleural effusion" not in {finding for film in films for finding in film.labels}
