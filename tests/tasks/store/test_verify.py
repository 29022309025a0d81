"""Whatever is done to a published version is found, and the object named."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.errors import DatasetMissing
from storage.layout import DatasetRef, run_key, selection_key, tag_key
from storage.ledger import ShardContents, commit_shard, committed_shards
from storage.manifest import find_manifest, write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest, PairRow, RejectRow
from storage.shards import Sample, read_tar, write_tar
from storage.tables import from_parquet, table_metadata, to_parquet
from tasks.store.verify import verify_dataset

Make = Callable[..., Sample]
World = Callable[..., DatasetRef]


def overwrite(store: ObjectStore, key: str, change: Callable[[bytes], bytes]) -> None:
    store.put(key, change(store.get(key)), create_only=False)


def problems(store: ObjectStore, ref: DatasetRef) -> list[str]:
    return [f"{problem.object}: {problem.what}" for problem in verify_dataset(store, ref).problems]


@pytest.mark.server
def test_a_version_as_it_was_published_has_nothing_wrong(store: ObjectStore, publish: World, use: Any) -> None:
    ref = publish(store)
    use(store, ref)
    seen: list[tuple[int, int]] = []
    found = verify_dataset(store, ref, lambda *at: seen.append(at))
    assert found.problems == ()
    assert found.notes == ()
    assert (found.samples, found.objects) == (4, 10)
    assert found.size == sum(
        info.size for info in store.list(ref.key("")) if "/re" in info.key or "/pairs" in info.key
    ) - (
        store.head(ref.recipe).size  # type: ignore[union-attr]
    )
    assert seen == [(1, 2), (2, 2)]


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def rewritten(keep: Callable[[tarfile.TarInfo], Iterator[str]]) -> Callable[[bytes], bytes]:
    """The same tar with members left out or doubled."""

    def change(data: bytes) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w") as new:
            for member in old.getmembers():
                for name in keep(member):
                    stream = old.extractfile(member)
                    member.name = name
                    new.addfile(member, stream)
        return out.getvalue()

    return change


def doubled(data: bytes) -> bytes:
    """The same tar with its first sample once more at the end."""
    samples = read_tar(data)
    body = len(write_tar(samples[:1]).rstrip(b"\0"))
    once = data[: -(-body // 512) * 512]
    whole = data[: -(-len(data.rstrip(b"\0")) // 512) * 512] + once + bytes(1024)
    return whole + bytes(-len(whole) % tarfile.RECORDSIZE)


def edited(**fields: Any) -> Callable[[bytes], bytes]:
    """The manifest with other values, written as the program writes it."""
    return lambda data: json.dumps(json.loads(data) | fields, sort_keys=True, separators=(",", ":")).encode()


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a byte of a film flipped": (
        "pairs/00001.tar",
        flip(600),
        r"pairs/00001\.tar: the film of sample sample-00003 is not",
    ),
    "a byte of padding flipped": ("pairs/00001.tar", flip(-1), r"pairs/00001\.tar: .*(SHA-256|its end)"),
    "a byte of an index flipped": ("pairs/00000.parquet", flip(60), r"pairs/00000\.parquet: has SHA-256"),
    "a byte of the reports flipped": ("reports/00001.parquet", flip(60), r"reports/00001\.parquet: has SHA-256"),
    "a byte of the rejects flipped": ("rejects/00001.parquet", flip(60), r"rejects/00001\.parquet: has SHA-256"),
    "a tar cut off": ("pairs/00000.tar", lambda data: data[:3000], r"pairs/00000\.tar: member .* is cut off"),
    "a tar cut at a block": ("pairs/00000.tar", lambda data: data[:-512], r"pairs/00000\.tar: its end"),
    "an empty tar": ("pairs/00000.tar", lambda _: b"", r"pairs/00000\.tar: at byte 0 there is no tar header"),
    "an index cut off": ("pairs/00000.parquet", lambda data: data[:-9], r"pairs/00000\.parquet: not a table"),
    "a film taken out": (
        "pairs/00000.tar",
        rewritten(lambda member: iter([member.name] * (member.name != "sample-00001.png"))),
        r"pairs/00000\.tar: sample sample-00001 has no png",
    ),
    "a sample taken out": (
        "pairs/00000.tar",
        rewritten(lambda member: iter([member.name] * ("00001" not in member.name))),
        r"pairs/00000\.tar: sample sample-00001 is in the index and not in the tar",
    ),
    "a sample doubled": ("pairs/00000.tar", lambda data: doubled(data), r"pairs/00000\.tar: member .* is there twice"),
    "a sample put in": (
        "pairs/00000.tar",
        lambda data: write_tar([*read_tar(data), Sample("sample-99999", b"", "", {})]),
        r"pairs/00000\.tar: sample sample-99999 is in the tar and not in the index",
    ),
    "a link put in": (
        "pairs/00000.tar",
        lambda data: packed_link() + data,
        r"pairs/00000\.tar: member 'a\.png' is a symbolic link",
    ),
    "the manifest edited": ("manifest.json", edited(licence="CC0-1.0"), r"manifest\.json: .*was edited"),
    "a number of the manifest edited": ("manifest.json", edited(accepted=5), r"manifest\.json: .*was edited"),
    "the manifest printed prettily": (
        "manifest.json",
        lambda data: json.dumps(json.loads(data), indent=1).encode(),
        r"manifest\.json: .*was edited",
    ),
    "the manifest edited and unsealed": (
        "manifest.json",
        edited(licence="CC0-1.0", seal=""),
        r"manifest\.json: .*has no seal",
    ),
    "the manifest not JSON": ("manifest.json", lambda _: b"<html>", r"manifest\.json: .*is not a manifest"),
    "another recipe": (
        "recipe.yaml",
        lambda data: data.replace(b"# fingerprint: ", b"# fingerprint: 0"),
        "recipe.yaml: has",
    ),
    "no recipe of ours": ("recipe.yaml", lambda _: b"pairs: 6\n", "recipe.yaml: .*not written by synthcxr"),
}


def packed_link() -> bytes:
    link = tarfile.TarInfo("a.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return link.tobuf()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_its_object_named(local_store: ObjectStore, publish: World, damage: str) -> None:
    name, change, told = DAMAGE[damage]
    ref = publish(local_store)
    overwrite(local_store, ref.key(name), change)
    found = problems(local_store, ref)
    assert any(re.match(told, line, re.DOTALL) for line in found), found
    assert {line.partition(":")[0] for line in found} == {name}


@pytest.mark.parametrize(
    "name", ["pairs/00001.tar", "pairs/00001.parquet", "reports/00000.parquet", "rejects/00001.parquet", "recipe.yaml"]
)
def test_a_missing_object_is_named(local_store: ObjectStore, publish: World, name: str) -> None:
    ref = publish(local_store)
    local_store.delete(ref.key(name))
    assert any(line.startswith(f"{name}: ") for line in problems(local_store, ref))


def test_no_manifest_is_no_version(local_store: ObjectStore, begin: World) -> None:
    with pytest.raises(DatasetMissing, match="no manifest yet"):
        verify_dataset(local_store, begin(local_store))


def forged(store: ObjectStore, ref: DatasetRef, **fields: Any) -> None:
    """Seal another manifest over what is stored: every hash agrees, whatever is wrong."""
    manifest = find_manifest(store, ref)
    assert manifest is not None
    store.delete(ref.manifest)
    shards = list(committed_shards(store, ref).values())
    write_manifest(store, ref, Manifest.model_validate(manifest.model_dump() | {"shards": shards} | fields))


def test_a_sample_in_two_shards_is_found_although_every_hash_agrees(
    local_store: ObjectStore, publish: World, make_pair: Make
) -> None:
    ref = publish(local_store)
    commit_shard(local_store, ref, 2, ShardContents([make_pair(0)]))
    forged(local_store, ref, accepted=5)
    assert "pairs/00002.parquet: sample sample-00000 is in pairs/00000.parquet too" in problems(local_store, ref)


def test_a_sample_that_is_accepted_and_rejected_is_found(
    local_store: ObjectStore, publish: World, make_pair: Make, make_reject: Callable[..., RejectRow]
) -> None:
    ref = publish(local_store)
    local_store.put(ref.rejects(2), to_parquet([make_reject(9)]))
    local_store.put(ref.pairs(2), write_tar([make_pair(9)]))
    commit_shard(local_store, ref, 2, ShardContents([]))
    forged(local_store, ref, accepted=5, rejected=3)
    assert "rejects/00002.parquet: sample sample-00009 is in the tar too" in problems(local_store, ref)


def test_a_film_of_two_samples_is_noted(local_store: ObjectStore, publish: World, make_pair: Make) -> None:
    ref = publish(local_store)
    copy = make_pair(0, sample_id="sample-00077")
    commit_shard(local_store, ref, 2, ShardContents([copy]))
    manifest = find_manifest(local_store, ref)
    assert manifest is not None
    counts = {
        name: number + (name != "anatomy/zone 1") * (name != "anatomy/zone 2")
        for name, number in manifest.entity_counts.items()
    }
    forged(local_store, ref, accepted=5, entity_counts=counts)
    found = verify_dataset(local_store, ref)
    assert found.problems == ()
    assert found.notes == ("1 films are the same as another's, such as sample-00077 and sample-00000",)


def test_an_index_that_says_something_else_than_the_tar_is_found_although_every_hash_agrees(
    local_store: ObjectStore, publish: World
) -> None:
    ref = publish(local_store)

    def other_words(data: bytes) -> bytes:
        rows = from_parquet(data, PairRow)
        rows[1] = rows[1].model_copy(update={"impression": "Normal."})
        return to_parquet(rows, table_metadata(data))

    overwrite(local_store, ref.index(0), other_words)
    forged(local_store, ref)
    assert problems(local_store, ref) == [
        "pairs/00000.tar: sample sample-00001 says something else than its row in the index"
    ]


def test_a_film_that_cannot_be_decoded_is_found_although_every_hash_agrees(
    local_store: ObjectStore, make_pair: Make, publish: World
) -> None:
    ref = publish(local_store)
    good = make_pair(50)
    png = good.png[:-30]
    broken = replace(good, png=png, json={**good.json, "png_sha256": hashlib.sha256(png).hexdigest()})
    commit_shard(local_store, ref, 2, ShardContents([broken]))
    forged(local_store, ref, accepted=5)
    assert any(
        "pairs/00002.tar: sample sample-00050: " in line and "PNG" in line for line in problems(local_store, ref)
    )


def test_counts_that_the_shards_do_not_bear_out_are_found(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    forged(local_store, ref, entity_counts={"disease/none": 4}, rejected_by_gate={})
    assert problems(local_store, ref) == [
        "manifest.json: its entity_counts is not what the shards hold",
        "manifest.json: its rejected_by_gate is not what the shards hold",
    ]


def test_references_that_lead_nowhere_are_found(local_store: ObjectStore, publish: World, use: Any) -> None:
    ref = publish(local_store, lineage={"parent": "films/v-gone"})
    use(local_store, ref)
    local_store.delete(selection_key(ref, "default", "selection.parquet"))
    local_store.put(
        tag_key("films", "champion", 1),
        json.dumps(
            {
                "dataset": "films",
                "tag": "champion",
                "version": "v-gone",
                "number": 1,
                "created": str(datetime.now(UTC)),
            }
        ).encode(),
    )
    (checkpoint,) = (info.key for info in local_store.list("checkpoints/") if info.key.endswith(".safetensors"))
    assert sorted(problems(local_store, ref)) == [
        f"{checkpoint}: was trained on selection 'default', which is missing",
        "manifest.json: names films/v-gone as its parent, which is not published",
        "tags/films/champion: points to films/v-gone, which is not published",
    ]


def test_a_selection_of_other_samples_is_found(
    local_store: ObjectStore, publish: World, use: Any, make_pair: Make
) -> None:
    ref = publish(local_store)
    use(local_store, ref)
    commit_shard(local_store, ref, 2, ShardContents([make_pair(9)]))
    forged(local_store, ref, accepted=5)
    assert f"selections/{ref}/default: does not decide about sample sample-00009" in problems(local_store, ref)


def test_a_damaged_checkpoint_of_the_version_is_found(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    key = run_key(f"{ref.name}-{ref.version}-1", "real/checkpoint.safetensors")
    for content in (b"", b"\xff" * 40, (8).to_bytes(8, "little") + b"no json!"):
        local_store.put(key, content, create_only=False)
        (found,) = problems(local_store, ref)
        assert found.startswith(f"{key}: cannot be read: ")


def test_another_versions_damage_is_not_this_ones(local_store: ObjectStore, publish: World) -> None:
    ref, other = publish(local_store), publish(local_store, seed=1)
    local_store.put(other.manifest, b"<html>", create_only=False)
    assert problems(local_store, ref) == []


def test_what_a_slower_rival_left_is_noted(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    local_store.put(ref.reports(7), b"x")
    local_store.put(ref.card("README.md"), b"x")
    assert verify_dataset(local_store, ref).notes == (
        f"1 objects are named by no manifest, such as {ref.reports(7)}: `synth gc` lists them",
    )


def test_an_edited_recipe_is_noted(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    overwrite(local_store, ref.recipe, lambda data: data.replace(b"\nseed: 0", b"\nseed: 1"))
    assert verify_dataset(local_store, ref).notes == (
        "recipe.yaml comes to another fingerprint here: it was edited, or another synthcxr wrote it",
    )


def test_reading_writes_nothing(local_store: ObjectStore, publish: World, tmp_path: Path) -> None:
    ref = publish(local_store)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    verify_dataset(local_store, ref)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_foreign_objects_are_passed_over_and_named(local_store: ObjectStore, publish: World, use: Any) -> None:
    ref = publish(local_store)
    use(local_store, ref)
    strange = [
        "tags/.DS_Store",
        f"tags/{ref.name}/latest/.nfs0001",
        f"selections/{ref}/default/._selection.parquet",
        "selections/notes.txt",
        "runs/run-1/Thumbs.db",
        "measures/desktop.ini",
        "datasets/.cache/v1/x",
        ref.key("pairs/.DS_Store"),
    ]
    for key in strange:
        local_store.put(key, b"x")
    found = verify_dataset(local_store, ref)
    assert found.problems == ()
    assert found.notes == tuple(f"{key} is foreign and passed over" for key in sorted(strange))


@pytest.mark.parametrize("content", [b"", b"{", b"[[[[", b"\xff\xfe", b'{"dataset":"films"}', b"null"])
def test_a_damaged_tag_of_the_dataset_is_found(local_store: ObjectStore, publish: World, content: bytes) -> None:
    ref = publish(local_store)
    key = tag_key(ref.name, "champion", 1)
    local_store.put(key, content)
    (found,) = problems(local_store, ref)
    assert found.startswith(f"{key}: cannot be read: ")
    assert "is not a tag" in found


@pytest.mark.server
def test_the_folder_markers_of_a_bucket_are_passed_over(s3_store: Any, publish: World, use: Any) -> None:
    from datetime import timedelta

    from storage.tags import advance_latest, tags
    from storage.versions import begun, published
    from tasks.store.collect import find_garbage

    ref = publish(s3_store)
    use(s3_store, ref)
    advance_latest(s3_store, ref)
    markers = [
        "datasets/", f"datasets/{ref.name}/", f"{ref.prefix}/", f"{ref.prefix}/pairs/", "datasets/other/v-1/", "tags/",
        f"tags/{ref.name}/", f"tags/{ref.name}/latest/", "selections/", f"selections/{ref}/default/", "runs/",
        "runs/run-1/", "measures/",
    ]  # fmt: skip
    for key in markers:
        s3_store.client.put_object(Bucket=s3_store.bucket, Key=f"{s3_store.prefix}/{key}", Body=b"")
    found = verify_dataset(s3_store, ref)
    assert found.problems == ()
    assert found.notes == tuple(f"{key} is foreign and passed over" for key in sorted(markers))
    assert begun(s3_store) == published(s3_store) == [ref]
    assert [tag.ref for tag in tags(s3_store)] == [ref]
    assert advance_latest(s3_store, ref).number == 1
    assert find_garbage(s3_store, older=timedelta(0)).items == ()
