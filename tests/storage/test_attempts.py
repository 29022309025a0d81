"""Attempts count from before they start, and what is known of a shard that is set aside is fit to be shown."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.attempts import KILLED, MOST_ATTEMPTS, Attempts
from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef, failed_key, foreign, split_work
from storage.local import LocalStore
from storage.objects import ObjectStore


@pytest.mark.server
def test_attempts_that_never_end_set_a_shard_aside(store: ObjectStore, ref: DatasetRef) -> None:
    attempts = pickle.loads(pickle.dumps(Attempts(store, ref)))
    assert [attempts.begin("images", 7) for _ in range(5)] == [1, 2, 3, None, None]
    (record,) = attempts.found()
    assert (record.shard, record.stage, record.error) == (7, "images", KILLED)
    assert (record.attempts, record.killed) == (MOST_ATTEMPTS, MOST_ATTEMPTS)
    assert "out of memory" in record.message
    assert attempts.record("images", 7) == record
    assert attempts.begin("images", 8) == 1
    assert attempts.begin("reports", 7) == 1


def test_the_last_error_that_was_told_is_kept(local_store: LocalStore, ref: DatasetRef) -> None:
    attempts = Attempts(local_store, ref)
    for number, error in enumerate((ValueError("first"), None, KeyError("third")), start=1):
        assert attempts.begin("reports", 3) == number
        assert attempts.found() == []
        if error is not None:
            attempts.fail("reports", 3, number, error)
    (record,) = attempts.found()
    assert (record.error, record.message, record.killed) == ("KeyError", "'third'", 1)
    assert "KeyError: 'third'" in record.trace
    assert str(record) == "shard 3 (reports: KeyError: 'third')"


def test_what_is_kept_is_short_escaped_and_holds_no_secret(
    local_store: LocalStore, ref: DatasetRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("SHORT_TOKEN", "a")
    attempts = Attempts(local_store, ref)
    text = "key wJalrXUtnFEMI at https://me:pass@host/x?token=abc \x1b[31m\udc80" + "x" * 100_000
    for _ in range(MOST_ATTEMPTS):
        number = attempts.begin("images", 0)
        assert number is not None
        attempts.fail("images", 0, number, RuntimeError(text))
    (record,) = attempts.found()
    assert record.message.startswith(r"key *** at https://***@host/x?token=*** \x1b[31m\udc80xxx")
    assert len(record.message) + len(record.trace) < 10_000
    stored = local_store.get(failed_key(ref, "images", 0))
    for secret in (b"wJalrXUtnFEMI", b"pass@", b"token=abc", b"\x1b"):
        assert secret not in stored


def test_an_attempt_that_is_withdrawn_does_not_count(local_store: LocalStore, ref: DatasetRef) -> None:
    attempts = Attempts(local_store, ref)
    for _ in range(5):
        assert attempts.begin("images", 0) == 1
        attempts.withdraw("images", 0, 1)
    assert attempts.found() == []


def test_shards_that_are_cleared_get_all_their_attempts_again(local_store: LocalStore, ref: DatasetRef) -> None:
    attempts = Attempts(local_store, ref)
    for shard in (1, 2, 3):
        while attempts.begin("images", shard) is not None:
            pass
    assert attempts.clear({2, 9}) == [2]
    assert [record.shard for record in attempts.found()] == [1, 3]
    assert [record.shard for record in attempts.found(but={1})] == [3]
    assert attempts.begin("images", 2) == 1
    assert attempts.clear() == [1, 3]
    assert attempts.found() == []
    with pytest.raises(ObjectMissing):
        attempts.record("images", 1)


def test_workers_that_race_for_a_shard_begin_attempts_of_their_own(local_store: LocalStore, ref: DatasetRef) -> None:
    attempts = Attempts(local_store, ref)
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: attempts.begin("images", 0), range(8)))
    assert sorted(number for number in begun if number) == [1, 2, 3]


def test_a_version_that_is_published_leaves_no_note_of_its_own(local_store: LocalStore, ref: DatasetRef) -> None:
    other = Attempts(local_store, DatasetRef(ref.name, f"{ref.version}-b"))
    attempts = Attempts(local_store, ref)
    for one in (attempts, other):
        one.begin("images", 0)
    attempts.forget()
    assert [split_work(info.key) for info in local_store.list("work/")] == [
        (other.ref, "attempts/images/00000/1.json")
    ]


def test_a_record_that_is_damaged_is_named(local_store: LocalStore, ref: DatasetRef) -> None:
    for text in (b"{", b'{"shard": 1}'):
        local_store.put(failed_key(ref, "images", 1), text, create_only=False)
        with pytest.raises(CorruptShard, match=r"00001\.json.*remove it"):
            Attempts(local_store, ref).found()


def test_notes_are_told_from_what_others_put_beside_them(ref: DatasetRef) -> None:
    assert not foreign(failed_key(ref, "images", 1))
    for name in ("attempts/images/1.json", f"{ref}/failed/images/00001.txt", f"{ref}/other/00001.json", "x"):
        assert foreign(f"work/{name}")
