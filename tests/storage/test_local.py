"""What only a folder has: full disks, permissions, half-written files."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import AccessDenied, ConditionalWritesMissing, ObjectMissing, StoreFull, StoreUnreachable
from storage.local import LocalStore


@pytest.fixture
def tiny_disk(mount_disk: Callable[[str], Path]) -> Path:
    """A file system of 1 MiB."""
    return mount_disk("1m")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_full_disk_names_the_path_and_leaves_nothing(tiny_disk: Path) -> None:
    store = LocalStore(tiny_disk)
    store.put("small", b"x" * 1000)
    with pytest.raises(StoreFull, match=r"datasets/big.*storage\.root"):
        store.put("datasets/big", b"x" * (2 << 20))
    assert files(tiny_disk) == ["small"]
    assert store.get("small") == b"x" * 1000


def test_a_file_size_limit_counts_as_full(local_store: LocalStore) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(StoreFull):
            local_store.put("big", b"x" * (2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert files(local_store.folder) == []


def test_a_folder_that_is_a_file_is_called_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnreachable, match=r"storage\.root"):
        LocalStore(tmp_path / "file").put("k", b"v")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(AccessDenied, match="write access"):
        LocalStore(tmp_path / "store").check()


def test_a_file_system_without_links_is_refused(local_store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(ConditionalWritesMissing, match="hard links"):
        local_store.check()
    assert files(local_store.folder) == []


def test_a_writer_killed_halfway_leaves_no_object(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom storage import local\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), 9)\n"
        "local.LocalStore(sys.argv[1]).put('k', b'v' * 100000)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    store = LocalStore(tmp_path)
    assert store.head("k") is None
    assert list(store.list()) == []
    store.put("k", b"whole")
    assert store.get("k") == b"whole"


def test_what_a_killed_writer_left_is_swept_after_a_day(local_store: LocalStore) -> None:
    local_store.check()
    old, new = local_store.folder / ".tmp/old", local_store.folder / ".tmp/new"
    old.touch()
    new.touch()
    yesterday = time.time() - 90_000
    os.utime(old, (yesterday, yesterday))
    local_store.check()
    assert files(local_store.folder) == ["new"]


def test_what_is_no_file_is_no_object_and_is_not_waited_for(local_store: LocalStore) -> None:
    local_store.put("runs/r/scores.json", b"x")
    folder = Path(local_store.folder, "runs", "r")
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "folder").mkdir()
    (folder / "nowhere").symlink_to("gone")
    for name in ("pipe", "device", "folder", "nowhere"):
        assert local_store.head(f"runs/r/{name}") is None
        with pytest.raises(ObjectMissing, match=name):
            local_store.get(f"runs/r/{name}")
    assert [info.key for info in local_store.list("runs/")] == ["runs/r/scores.json"]


def test_a_link_in_a_circle_is_named(local_store: LocalStore) -> None:
    local_store.put("runs/r/scores.json", b"x")
    Path(local_store.folder, "runs", "r", "loop").symlink_to("loop")
    with pytest.raises(StoreUnreachable, match="loop: Too many levels"):
        local_store.get("runs/r/loop")


def test_a_file_is_not_taken_for_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StoreUnreachable, match="is a file: a store is a folder"):
        list(LocalStore(tmp_path / "file").list(""))
    assert list(LocalStore(tmp_path / "nothing").list("")) == []


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_store.put("datasets/films/v-1/recipe.yaml", b"x")
    scan = os.scandir

    def denied(path: str) -> object:
        if str(path).endswith("v-1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    monkeypatch.setattr("os.scandir", denied)
    with pytest.raises(AccessDenied, match="v-1: permission denied"):
        list(local_store.list("datasets/"))
