"""Tars: the same bytes each time, and nothing damaged passes unnoticed."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from storage.canonical import canonical_json
from storage.errors import CorruptShard, ObjectMissing
from storage.objects import ObjectStore
from storage.records import Box, GateRow, PairRow
from storage.shards import SHAPED, UNTOLD, Sample, read_samples, read_tar, sample_of, write_tar

Make = Callable[..., Sample]


def test_equal_samples_give_equal_bytes_whenever_and_whoever(make_pair: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [make_pair(number) for number in range(5)]
    first = write_tar(samples)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert write_tar(samples) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members[:3]] == [f"sample-00000.{kind}" for kind in ("png", "txt", "json")]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o444)}


@pytest.mark.parametrize(
    ("count", "sha256"),
    [
        (0, "84ff92691f909a05b224e1c56abb4864f01b4f8e3c854e4bb4c7baf1d3f6d652"),
        (1, "73a368e7550c9b36530183718a37028c8690c2cc99bb79b21754014def9728fb"),
        (40, "dcc024641accd970537c775832ee537fe5e341a5849989c378be4a2040b2689f"),
    ],
)
def test_the_bytes_of_a_tar_never_change(count: int, sha256: str) -> None:
    """As the writer before `webdataset.TarWriter` wrote them: a resumed version must not mix two kinds of tars."""
    rows = [{"index": number, "labels": {"mass": 1}, "score": 0.5} for number in range(count)]
    samples = [
        Sample(f"film-{at:03d}", bytes([at]) * (511 + at), f"FINDINGS: case {at} é.\n", row)
        for at, row in enumerate(rows)
    ]
    assert hashlib.sha256(write_tar(samples)).hexdigest() == sha256


def test_the_system_tar_reads_it(make_pair: Make) -> None:
    names = subprocess.run(["tar", "t"], input=write_tar([make_pair(7)]), capture_output=True, check=True).stdout
    assert names.decode().split() == ["sample-00007.png", "sample-00007.txt", "sample-00007.json"]


def test_what_goes_in_comes_out(make_pair: Make) -> None:
    samples = [make_pair(1), make_pair(2, findings='Ünïcode, "quotes" & a\nbreak.', impression="")]
    assert read_tar(write_tar(samples)) == samples
    assert read_tar(write_tar([])) == []


def test_what_an_archive_does_not_tell_has_a_type_all_the_same(make_pair: Make) -> None:
    """Readers take the types from the first samples, and an untold age must not hide the age of the next."""
    row = PairRow.model_validate(make_pair(1).json).model_copy(update={"text_from": "labels", "patient": "p1"})
    told = row.model_copy(update={"age": 3.0, "boxes": [Box(finding="mass", x=1, y=2, width=3, height=4)]})
    samples = [sample_of(each, make_pair(1).png) for each in (row, told)]
    for sample in samples:
        assert read_tar(write_tar([sample])) == [sample]
    with tarfile.open(fileobj=io.BytesIO(write_tar(samples[:1]))) as tar:
        file = tar.extractfile("sample-00001.json")
        assert file is not None
        plain = json.loads(file.read())
    assert (plain["age"], plain["sex"], plain["patient"], plain["boxes"]) == (-1.0, "", "p1", "[]")
    assert not {*make_pair(1).json} & {"age", "boxes", "text_from"}, "a generated pair tells nothing of an archive"


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "ü", "x" * 91])
def test_a_key_that_webdataset_would_not_give_back_is_refused(make_pair: Make, key: str) -> None:
    with pytest.raises(ValueError, match="sample key"):
        write_tar([replace(make_pair(1), key=key)])


def test_a_key_twice_is_refused(make_pair: Make) -> None:
    with pytest.raises(ValueError, match="twice"):
        write_tar([make_pair(1), make_pair(1)])


def test_a_score_that_is_no_number_is_refused_by_name(make_pair: Make) -> None:
    with pytest.raises(ValueError, match="sample-00001"):
        write_tar([replace(make_pair(1), json={"score": float("nan")})])


def test_a_row_of_another_film_is_refused(make_pair: Make) -> None:
    row = PairRow.model_validate(make_pair(1).json)
    with pytest.raises(ValueError, match="sample-00001"):
        sample_of(row, make_pair(2).png)


@pytest.mark.server
def test_samples_stream_from_the_store(store: ObjectStore, make_pair: Make) -> None:
    for shard in range(3):
        store.put(f"{shard}.tar", write_tar(make_pair(shard * 10 + n) for n in range(10)))
    keys = [f"{shard}.tar" for shard in range(3)]
    everything = [sample.key for sample in read_samples(store, keys)]
    assert everything == [f"sample-{number:05d}" for number in range(30)]
    few = {"sample-00003", "sample-00025", "sample-99999"}
    assert [sample.key for sample in read_samples(store, keys, select=few)] == ["sample-00003", "sample-00025"]


@pytest.mark.server
def test_a_missing_tar_is_named(store: ObjectStore) -> None:
    with pytest.raises(ObjectMissing, match=r"nowhere\.tar"):
        list(read_samples(store, ["nowhere.tar"]))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def without_txt(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old.getmembers():
            if not member.name.endswith(".txt"):
                new.addfile(member, old.extractfile(member))
    return out.getvalue()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no tar at all": lambda _: b"<html>proxy error</html>" * 100,
    "cut within a member": lambda data: data[:1000],
    "cut between members": lambda data: data[: data.index(b"sample-00002.png")],
    "end blocks lost": lambda data: data.rstrip(b"\0") + b"\0" * (-len(data.rstrip(b"\0")) % 512),
    "a bit in a film": lambda data: flipped(data, 512 + 100),
    "a bit in the first header": lambda data: flipped(data, 3),
    "a bit in a later header": lambda data: flipped(data, data.index(b"sample-00002.png") + 3),
    "a bit in a row": lambda data: flipped(data, data.index(b'{"entities"')),
    "a part missing": without_txt,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_tar_is_named(local_store: ObjectStore, make_pair: Make, damage: str) -> None:
    local_store.put("pairs/00007.tar", DAMAGE[damage](write_tar(make_pair(number) for number in range(4))))
    with pytest.raises(CorruptShard, match=r"pairs/00007\.tar.*manifest"):
        list(read_samples(local_store, ["pairs/00007.tar"]))


def rows_in(tar: bytes) -> list[dict[str, object]]:
    """The JSON of every sample as any reader of tars finds it."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        files = [members.extractfile(member) for member in members if member.name.endswith(".json")]
        return [json.loads(file.read()) for file in files if file]


def varied(make_pair: Make, mention: dict[str, object]) -> list[Sample]:
    """Rows whose labels, attributes, gates and provenance have nothing in common."""
    bare = mention | {"label": None, "side": None, "severity": None}
    gate = GateRow(gate="agreement", score=None, threshold=0.5, passed=True, not_judged=1)
    few: dict[str, object] = {"mentions": [bare], "labels": {}, "gates": [gate], "provenance": {"defect": None}}
    return [make_pair(1, **few), make_pair(2, entities=[], mentions=[]), make_pair(3, provenance={"prompt": "x"})]


def test_every_sample_has_the_same_keys_with_texts_and_numbers(make_pair: Make, mention: dict[str, object]) -> None:
    rows = rows_in(write_tar(varied(make_pair, mention)))
    assert len({tuple((name, type(value)) for name, value in row.items()) for row in rows}) == 1
    assert {type(value) for value in rows[0].values()} == {str, int}
    assert json.loads(str(rows[2]["labels"])) == {"pleural effusion": 1, "pneumothorax": 0}


def test_what_has_a_shape_comes_back_as_it_was(make_pair: Make, mention: dict[str, object]) -> None:
    samples = [*varied(make_pair, mention), make_pair(4, axes={"sex": "female"})]
    assert read_tar(write_tar(samples)) == samples


def test_every_field_with_a_shape_is_flat() -> None:
    flat = {"str", "int", "int | None"}
    others = {name for name, kind in PairRow.__annotations__.items() if kind not in flat}
    assert others == {*SHAPED, *UNTOLD, "text_from"}


def test_a_tar_of_an_older_version_is_read_as_before(make_pair: Make) -> None:
    sample = make_pair(1)
    parts = {"png": sample.png, "txt": sample.txt.encode(), "json": canonical_json(sample.json).encode()}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for extension, data in parts.items():
            header = tarfile.TarInfo(f"{sample.key}.{extension}")
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    assert read_tar(out.getvalue()) == [sample]
    assert isinstance(rows_in(out.getvalue())[0]["labels"], dict)


def test_a_text_that_is_no_json_is_named(make_pair: Make) -> None:
    broken = write_tar([make_pair(1)]).replace(b'"labels":"{', b'"labels":"}')
    with pytest.raises(CorruptShard, match="sample-00001 cannot be read"):
        read_tar(broken)
