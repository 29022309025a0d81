"""The contract that every store keeps, on a real S3 server and in a folder."""

from __future__ import annotations

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.errors import AlreadyExists, ObjectMissing
from storage.local import LocalStore
from storage.objects import ObjectStore, check_key
from storage.open import open_store
from storage.s3 import S3Store

pytestmark = pytest.mark.server


def test_what_was_put_comes_back_with_its_hash(store: ObjectStore) -> None:
    data = bytes(range(256)) * 5000
    assert store.put("a/b c/ü.bin", data) == hashlib.sha256(data).hexdigest()
    assert store.get("a/b c/ü.bin") == data
    info = store.head("a/b c/ü.bin")
    assert info is not None
    assert (info.key, info.size) == ("a/b c/ü.bin", len(data))


def test_a_file_is_put_without_being_held_in_memory(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "weights.safetensors"
    source.write_bytes(b"w" * 3_000_000)
    assert store.put("runs/r/weights.safetensors", source) == hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.get("runs/r/weights.safetensors") == source.read_bytes()


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"")
    assert store.get("empty") == b""
    assert store.head("empty") is not None


def test_a_create_only_write_never_overwrites(store: ObjectStore) -> None:
    store.put("once", b"first")
    with pytest.raises(AlreadyExists, match="once"):
        store.put("once", b"second")
    assert store.get("once") == b"first"
    store.put("once", b"third", create_only=False)
    assert store.get("once") == b"third"


def test_of_sixteen_racing_writers_one_wins(store: ObjectStore) -> None:
    def write(number: int) -> int | None:
        try:
            store.put("race", f"writer {number}".encode() * 1000)
        except AlreadyExists:
            return None
        return number

    with ThreadPoolExecutor(16) as pool:
        winners = [number for number in pool.map(write, range(16)) if number is not None]
    assert len(winners) == 1
    assert store.get("race") == f"writer {winners[0]}".encode() * 1000


def test_an_object_can_be_streamed(store: ObjectStore) -> None:
    data = bytes(range(251)) * 10_000
    store.put("big", data)
    with store.open("big") as stream:
        assert stream.read(10) == data[:10]
        assert stream.read() == data[10:]


def test_listing_is_limited_to_the_prefix(store: ObjectStore) -> None:
    keys = ["d/1/a", "d/1/b", "d/1.x", "d/10", "e", "d/2/a"]
    for key in keys:
        store.put(key, key.encode())
    assert sorted(info.key for info in store.list("d/1")) == ["d/1.x", "d/1/a", "d/1/b", "d/10"]
    assert sorted(info.key for info in store.list("d/1/")) == ["d/1/a", "d/1/b"]
    assert {info.key: info.size for info in store.list()} == {key: len(key) for key in keys}
    assert list(store.list("nothing/here")) == []


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    assert store.head("not/there") is None
    with pytest.raises(ObjectMissing, match="not/there"):
        store.get("not/there")
    with pytest.raises(ObjectMissing, match="not/there"):
        store.open("not/there")


def test_deleting_twice_is_harmless(store: ObjectStore) -> None:
    store.put("gone", b"x")
    store.delete("gone")
    store.delete("gone")
    assert store.head("gone") is None


def test_a_good_store_passes_its_check_and_keeps_no_trace_of_it(store: ObjectStore) -> None:
    store.check()
    assert list(store.list()) == []


def test_a_store_travels_to_another_process(store: ObjectStore) -> None:
    store.put("k", b"v")
    assert pickle.loads(pickle.dumps(store)).get("k") == b"v"


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/./b", "a\\b", "a\nb", "a/", ".tmp/x"])
def test_a_key_that_could_leave_the_store_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="object key"):
        check_key(key)


def test_a_root_says_which_kind_of_store_it_is(tmp_path: Path) -> None:
    folder = open_store(str(tmp_path))
    assert isinstance(folder, LocalStore)
    assert folder.uri("a/b") == (tmp_path / "a/b").as_uri()
    bucket = open_store("s3://films/of/us", endpoint="http://127.0.0.1:9", region="eu-west-1")
    assert isinstance(bucket, S3Store)
    assert bucket.root == "s3://films/of/us"
    assert bucket.uri("a/b") == "s3://films/of/us/a/b"
    assert open_store("s3://films").uri("") == "s3://films"
    for wrong in ("s3://", "gs://films/x"):
        with pytest.raises(ValueError, match="neither"):
            open_store(wrong)
