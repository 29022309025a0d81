"""MS-CXR to a version that tests grounding, with the phrases of its boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.flows.conftest import SmallFactory
from tests.flows.ingested import as_test_set, ingest
from tests.tasks.corpora.archives.conftest import Tree

FIRST, SECOND = "files/p10/p10000032/s50414267/d1.jpg", "files/p11/p11000033/s50414268/d2.jpg"

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film in a copy of half its size, bright in its two boxes, and a film that is not there."""
    tree = Tree(tmp_path_factory.mktemp("ms-cxr"))
    head = "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height,split\n"
    tree.text("MS_CXR_Local_Alignment_v1.1.0.csv", head +
              f"d1,Pneumonia,pneumonia at both bases,{FIRST},128,512,128,256,1024,2048,test\n"
              f"d1,Pneumonia,pneumonia at both bases,{FIRST},640,512,128,256,1024,2048,test\n"
              f"d2,Edema,edema,{SECOND},1,1,2,2,8,8,test\n")  # fmt: skip
    film = np.zeros((1024, 512), np.uint8)
    film[256:384, 64:128] = film[256:384, 320:384] = 255
    tree.image(FIRST, film)
    return tree.root


def test_its_boxes_lie_where_they_lay_and_keep_their_phrase(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root), "--split", "test")
    (row,) = done.rows.values()
    assert [(box.x, box.y, box.width, box.height) for box in row.boxes] == [(20, 16, 4, 8), (36, 16, 4, 8)]
    assert done.films["d1"][18:22, 21:23].min() > 200
    assert row.provenance["phrases"] == [{"text": "pneumonia at both bases", "finding": "Pneumonia", "boxes": [0, 1]}]
    assert [reject.reason for reject in done.rejects] == [f"{SECOND}: the file is missing"]
    assert done.manifest.credentialed
    held = as_test_set(factory, done)
    held.need({"labels", "boxes", "patient", "study", "split"}, "grounding")
    assert held.findings() == ("Pneumonia",)
