"""A rendered archive becomes a dataset version like any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.manifest import find_manifest, write_manifest
from storage.masks import decode_mask, encode_mask
from storage.objects import ObjectStore
from storage.png import decode_png
from storage.records import FORMAT_VERSION, Box, Mask, PairRow
from storage.versions import Version, VersionPlace
from tasks.publish.archive import publish_archive
from tasks.publish.dataset import RecipeChanged
from tests.storage.agreement import check_objects

BOX = Box(finding="pleural effusion", x=3, y=4, width=10.5, height=2)
REF = DatasetRef("hospital-a", "v-10x64-7")


@dataclass
class Film:
    image: np.ndarray
    defect: str | None = None
    labels: dict[str, int] = field(default_factory=lambda: {"pleural effusion": 1, "cardiomegaly": 0, "odd": 1})
    findings_text: str = "There is a left effusion."
    impression_text: str = "Left effusion."
    view: str | None = "AP"
    boxes: list[Box] = field(default_factory=lambda: [BOX])
    masks: list[Mask] = field(default_factory=lambda: [encode_mask("pleural effusion", np.eye(64))])


class Cinema:
    """Films by number, counted as they are shown."""

    def __init__(self, stop: int = 10) -> None:
        self.shown, self.stop = 0, stop

    def __iter__(self) -> Iterator[Film]:
        for number in range(self.stop):
            self.shown += 1
            yield Film(np.full((64, 64), number, np.uint8), "blurred" if number == 3 else None)


def test_films_labels_and_defects_come_back(local_store: ObjectStore) -> None:
    manifest = publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4)
    check_objects(local_store, REF, manifest, deep=True)
    assert [shard.accepted for shard in manifest.shards] == [4, 4, 2]
    rows = list(Version(local_store, REF, manifest).rows())
    assert [row.provenance["defect"] for row in rows] == [None] * 3 + ["blurred"] + [None] * 6
    assert rows[0].labels == {"pleural effusion": 1, "cardiomegaly": 0, "odd": 1}
    assert rows[0].entities == ["abnormality/pleural effusion", "odd"]
    assert (rows[0].view, rows[0].boxes, rows[0].text_from) == ("AP", [BOX], "report")
    assert (decode_mask(rows[0].masks[0]) == np.eye(64, dtype=bool)).all()
    assert (manifest.format, manifest.label_set) == (FORMAT_VERSION, "phantom")
    samples = list(Version(local_store, REF, manifest).samples())
    assert [int(decode_png(sample.png)[0, 0]) for sample in samples] == list(range(10))
    assert [PairRow.model_validate(sample.json) for sample in samples] == rows
    assert samples[0].txt == "FINDINGS: There is a left effusion.\n\nIMPRESSION: Left effusion.\n"


def test_a_published_archive_is_not_rendered_again(local_store: ObjectStore) -> None:
    manifest = publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4)
    second = Cinema()
    assert publish_archive(VersionPlace(local_store, REF), second, count=10, shard_size=4) == manifest
    assert second.shown == 0


def test_an_archive_that_was_cut_off_goes_on(local_store: ObjectStore) -> None:
    with pytest.raises(ValueError, match="6 films came, 10 were promised"):
        publish_archive(VersionPlace(local_store, REF), Cinema(6), count=10, shard_size=4)
    assert list(committed_shards(local_store, REF)) == [0]
    assert find_manifest(local_store, REF) is None
    manifest = publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4)
    assert [int(decode_png(s.png)[0, 0]) for s in Version(local_store, REF, manifest).samples()] == [*range(10)]


def test_another_archive_under_the_same_name_is_refused(local_store: ObjectStore) -> None:
    publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4, description={"seed": 1})
    with pytest.raises(RecipeChanged, match="seed: 1 -> 2"):
        publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4, description={"seed": 2})


def test_a_film_of_another_type_is_refused(local_store: ObjectStore) -> None:
    with pytest.raises(ValueError, match="uint8"):
        publish_archive(VersionPlace(local_store, REF), [Film(np.zeros((64, 64), np.float32))], count=1)


def test_a_version_published_with_another_description_is_not_taken(local_store: ObjectStore) -> None:
    publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4)
    manifest = find_manifest(local_store, REF)
    assert manifest is not None
    local_store.delete(REF.manifest)
    write_manifest(local_store, REF, manifest.model_copy(update={"fingerprint": "b" * 64}))
    with pytest.raises(RecipeChanged, match="was published with another recipe"):
        publish_archive(VersionPlace(local_store, REF), Cinema(), count=10, shard_size=4)
