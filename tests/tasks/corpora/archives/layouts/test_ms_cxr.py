"""MS-CXR's table, as CSV and as COCO, beside MIMIC-CXR-JPG's films."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import Box

HEAD = "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height"
FIRST, SECOND = "files/p10/p10000032/s50414267/d1.jpg", "files/p11/p11000033/s50414268/d2.jpg"
TABLE = (
    f"d1,Pneumonia,Right  lower lobe pneumonia,{FIRST},100,200,30,40,2544,3056\n"
    f"d2,Atelectasis,basal atelectasis,{SECOND},1,2,3,4,2000,2500\n"
    f"d1,Pneumonia,Right lower lobe pneumonia,{FIRST},500,200,30,40,2544,3056\n"
    f"d1,Pleural Effusion,small effusion,{FIRST},100,900,50,60,2544,3056\n"
)


def coco(**changes: Any) -> str:
    """The first film of `TABLE` as COCO, with other parts."""
    found = {
        "info": {}, "licenses": [],
        "images": [{"id": 7, "file_name": "d1.jpg", "path": FIRST, "width": 2544, "height": 3056}],
        "categories": [{"id": 1, "name": "Pneumonia"}, {"id": 2, "name": "Pleural Effusion"}],
        "annotations": [
            {"id": at, "image_id": 7, "category_id": kind, "bbox": bbox, "label_text": text}
            for at, kind, bbox, text in (
                (1, 1, [100, 200, 30, 40], "Right  lower lobe pneumonia"),
                (2, 1, [500.0, 200, 30, 40], "Right lower lobe pneumonia"),
                (3, 2, [100, 900, 50, 60], "small effusion"),
            )
        ],
    }  # fmt: skip
    return json.dumps({**found, **changes})


BOXES = (
    Box("Pneumonia", 100, 200, 30, 40, phrase="Right lower lobe pneumonia"),
    Box("Pneumonia", 500, 200, 30, 40, phrase="Right lower lobe pneumonia"),
    Box("Pleural Effusion", 100, 900, 50, 60, phrase="small effusion"),
)


def test_a_film_has_the_boxes_of_all_its_phrases(tree) -> None:
    path = tree.image(FIRST)
    tree.text("MS_CXR_Local_Alignment_v1.0.0.csv", f"{HEAD}\n{TABLE}")
    (film, other), notes = tree.read()
    assert (film.film, film.path, film.boxes, film.frame) == ("d1", path, BOXES, (2544, 3056))
    assert (film.patient, film.study) == ("10000032", "50414267"), "as the layout of MIMIC-CXR-JPG has them"
    assert (film.labels, other.labels) == ({"Pneumonia": 1, "Pleural Effusion": 1}, {"Atelectasis": 1})
    assert (film.split, film.view) == (None, None)
    assert notes == {}


def test_coco_says_the_same(tree) -> None:
    path = tree.image(FIRST)
    tree.text("MS_CXR_Local_Alignment_v1.0.0.json", coco())
    (film,), _ = tree.read()
    assert (film.film, film.path, film.boxes, film.frame) == ("d1", path, BOXES, (2544, 3056))


def test_version_1_1_has_splits_and_is_read_where_both_are_there(tree) -> None:
    tree.text("MS_CXR_Local_Alignment_v1.0.0.csv", f"{HEAD}\n{TABLE}")
    tree.text("MS_CXR_Local_Alignment_v1.1.0.csv", f"{HEAD},split\n{TABLE.splitlines()[0]},test\n")
    (film,), _ = tree.read()
    assert film.split == "test"


def test_mimics_own_table_tells_the_view_and_the_layout_has_to_be_named(tree) -> None:
    tree.text("mimic-cxr-2.0.0-metadata.csv.gz", "dicom_id,subject_id,study_id,ViewPosition\n"
              "d1,10000032,50414267,PA\nd9,10000039,50414269,AP\n")  # fmt: skip
    tree.text("MS_CXR_Local_Alignment_v1.0.0.csv", f"{HEAD}\n{TABLE}")
    with pytest.raises(ArchiveError, match="looks like mimic and like ms_cxr: say which with --layout"):
        tree.read()
    (film, other), notes = tree.read("ms_cxr")
    assert (film.view, other.view) == ("PA", None)
    assert notes["films without a view in mimic-cxr-2.0.0-metadata.csv.gz"] == 1


def test_odd_boxes_are_counted(tree) -> None:
    row = TABLE.splitlines()[0]
    tree.text("MS_CXR_Local_Alignment_v1.0.0.csv", "\n".join((HEAD, row, row, row.replace(",30,40,", ",0,40,"))))
    (film,), notes = tree.read()
    assert len(film.boxes) == 1
    assert notes == {
        "boxes that stand twice on one film": 1,
        "rows of MS_CXR_Local_Alignment_v1.0.0.csv without a whole box or without a category": 1,
    }


@pytest.mark.parametrize("path", ["d1.jpg", "/etc/p10000032/s50414267/d1.jpg", "../p10000032/s50414267/d1.jpg"])
def test_a_path_that_is_none_of_mimics_is_an_error(tree, path: str) -> None:
    tree.text("MS_CXR_Local_Alignment_v1.0.0.csv", f"{HEAD}\n{TABLE}".replace(FIRST, path))
    with pytest.raises(ArchiveError, match=r"v1\.0\.0\.csv, line 2: .* is no path of MIMIC-CXR-JPG"):
        tree.read()


@pytest.mark.parametrize(("text", "told"), [
    ("{", "is no COCO file"), ("[]", "is no COCO file"), (coco(images=None), "is no COCO file: images"),
    (coco(images=[]), "annotation 1: the file lists no image 7"),
    (coco(categories=[{"id": 1, "name": "Pneumonia"}]), "annotation 3: the file lists no category 2"),
])  # fmt: skip
def test_damaged_coco_is_told_in_a_line(tree, text: str, told: str) -> None:
    tree.text("MS_CXR_Local_Alignment_v1.0.0.json", text)
    with pytest.raises(ArchiveError, match=told) as error:
        tree.read()
    assert "\n" not in str(error.value)
