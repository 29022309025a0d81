"""What killed writers left is found by its age, and only that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.orphans import leftovers

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


def test_half_a_file_is_dropped(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "draft").write_bytes(b"half")
    assert leftovers(store, DAY) == []
    (left,) = leftovers(store, NOW)
    left.remove()
    left.remove()  # whoever was faster
    assert not (tmp_path / ".tmp" / "draft").exists()
