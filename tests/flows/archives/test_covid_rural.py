"""COVID-19 Rural to a version that tests segmentation and grounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.masks import decode_mask
from tasks.evaluate.areas import areas
from tests.flows.conftest import SmallFactory
from tests.flows.ingested import as_test_set, ingest
from tests.tasks.corpora.archives.conftest import Tree

SICK, CLEAR = "COVID-19-AR-16406488_01-08-2012-XR", "COVID-19-AR-16406489_01-26-2012-XR"

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with an opacity and one without, twice as high as wide, as JPEG in three channels."""
    tree = Tree(tmp_path_factory.mktemp("covid_rural_annot"))
    area = np.zeros((64, 32), np.uint8)
    area[16:32, 8:16] = 1
    for at, (name, mask) in enumerate({SICK: area, CLEAR: 0 * area}.items()):
        tree.image(f"jpgs/{name}.jpg", np.stack([area * 200 + 10 * at] * 3, axis=2))
        tree.image(f"pngs_masks/{name}.png", mask)
    tree.text("covid_rural_patient_info.csv", "PATIENT_ID,AGE,SEX\nCOVID-19-AR-16406488,67,M\n")
    return tree.root


def test_its_masks_are_a_test_set_of_segmentation(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root))
    assert done.labels == {SICK: {"Opacity": 1}, CLEAR: {"Opacity": 0}}
    area = decode_mask(done.rows[SICK].masks[0])
    assert area[16:32, 24:32].all(), "the film lies in the middle of the square"
    assert area.sum() == 16 * 8
    assert done.rows[SICK].age == 67
    held = as_test_set(factory, done)
    held.need({"labels", "masks", "patient", "study", "sex", "age"}, "segmentation")
    assert areas(held).names == ("Opacity",)
