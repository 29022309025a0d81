"""What killed writers left is found by its age, and only that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.orphans import leftovers
from storage.s3 import S3Store

NOW, DAY = timedelta(0), timedelta(days=1)


@pytest.mark.server
def test_a_probe_is_left_alone_while_it_may_be_in_use(store: ObjectStore) -> None:
    store.put("probe-1", b"first")
    store.put("datasets/a/v/probe-2", b"no probe of ours")
    assert leftovers(store, DAY) == []
    (probe,) = leftovers(store, NOW)
    assert (probe.key, probe.size) == ("probe-1", 5)
    probe.remove()
    assert [info.key for info in store.list("")] == ["datasets/a/v/probe-2"]


@pytest.mark.server
def test_an_upload_that_was_never_finished_is_dropped(s3_store: S3Store) -> None:
    place = {"Bucket": s3_store.bucket, "Key": f"{s3_store.prefix}/datasets/a/v/pairs/00000.tar"}
    upload = s3_store.client.create_multipart_upload(**place)["UploadId"]
    s3_store.client.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"part")
    assert leftovers(s3_store, DAY) == []
    (left,) = leftovers(s3_store, NOW)
    assert left.key == "datasets/a/v/pairs/00000.tar"
    left.remove()
    assert leftovers(s3_store, NOW) == []


def test_half_a_file_is_dropped(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "draft").write_bytes(b"half")
    assert leftovers(store, DAY) == []
    (left,) = leftovers(store, NOW)
    left.remove()
    left.remove()  # whoever was faster
    assert not (tmp_path / ".tmp" / "draft").exists()
