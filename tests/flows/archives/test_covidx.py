"""COVIDx to a version that tests zero-shot classification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.flows.conftest import SmallFactory
from tests.flows.ingested import as_test_set, ingest
from tests.tasks.corpora.archives.conftest import Tree

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films as PNG and JPEG, one damaged, one missing, of the sources that the lists name."""
    tree = Tree(tmp_path_factory.mktemp("covidx"))
    tree.text("train.txt", "5 five.png negative cohen\n")
    tree.text("test.txt", "p1 sick.png positive ricord\np1 again.jpeg positive ricord\nwell well.png negative rsna\n"
              "p2 gone.png positive ricord\np3 broken.png negative rsna\n")  # fmt: skip
    for at, name in enumerate(("train/five.png", "test/sick.png", "test/again.jpeg", "test/well.png")):
        tree.image(name, np.arange(192, dtype=np.uint8).reshape(12, 16) // (at + 1))
    tree.text("test/broken.png", "\x89PNG")
    return tree.root


def test_its_test_list_is_a_test_set_of_one_finding(factory: SmallFactory, root: Path) -> None:
    done = ingest(factory, str(root), "--split", "test")
    assert list(done.rows) == ["sick.png", "again.jpeg", "well.png"]
    assert [reject.reason.partition(":")[0] for reject in done.rejects] == ["test/gone.png", "test/broken.png"]
    assert (done.manifest.licence, done.manifest.label_set) == ("LicenseRef-COVIDx-Sources", "covidx")
    held = as_test_set(factory, done)
    held.need({"labels", "labeller", "patient", "split"}, "zero_shot")
    assert held.findings() == ("COVID-19",)
    assert held.truth(held.findings()).ravel().tolist() == [1, 1, 0]
    assert held.patients() == ("p1", "p1", "well")
