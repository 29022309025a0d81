"""Real films become a dataset version like any other."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.masks import decode_mask
from storage.png import decode_png
from storage.records import PairRow
from storage.tags import resolve
from storage.versions import Version
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS
from tasks.ingest import ingest as module
from tasks.ingest.ingest import Ingested, dataset_name, ingest
from tasks.recipe.sources import SourceSection
from tasks.store.verify import verify_dataset
from tests.storage.agreement import check_objects
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.corpora.archives.made import DEEP, dicom
from tests.tasks.ingest.conftest import write_nih


def put(store: LocalStore, source: str, **fields: Any) -> Ingested:
    """Ingest an archive at 64 pixels."""
    return ingest(store, SourceSection.model_validate({"source": source, "size": 64, "name": "films", **fields}))


def rows_of(store: LocalStore, done: Ingested) -> list[PairRow]:
    return list(Version(store, done.ref, done.manifest).rows())


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_SHARD", 4)


@pytest.mark.usefixtures("small_shards")
def test_an_archive_becomes_a_version_like_any_other(store: LocalStore, nih: Path) -> None:
    done = put(store, f"nih:{nih}", text="labels")
    manifest = done.manifest
    check_objects(store, done.ref, manifest, deep=True)
    assert (manifest.accepted, manifest.rejected, [shard.accepted for shard in manifest.shards]) == (11, 1, [4, 3, 4])
    assert resolve(store, "films@latest") == done.ref
    rows = rows_of(store, done)
    assert [row.index for row in rows] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    samples = list(Version(store, done.ref, manifest).samples())
    assert [PairRow.model_validate(sample.json) for sample in samples] == rows
    first = rows[0]
    assert (first.patient, first.study, first.view, first.sex, first.age) == ("0", "0/0", "PA", "F", 50)
    assert (first.labels["Mass"], first.labels["Hernia"], first.labels["No Finding"]) == (1, 0, 0)
    assert first.entities == ["finding/Edema", "finding/Mass"]
    assert first.provenance == {
        "archive": "nih", "film": "00000000.png", "file": "PNG L", "height": 48, "width": 64
    }  # fmt: skip
    assert decode_png(samples[0].png).shape == (64, 64)
    assert samples[0].txt.startswith("FINDINGS: There is")


def test_an_unreadable_film_goes_to_the_rejects_with_the_reason(store: LocalStore, nih: Path) -> None:
    (nih / "images" / "00000007.png").unlink()
    done = put(store, f"nih:{nih}")
    broken, missing = Version(store, done.ref, done.manifest).rejects()
    assert (broken.index, broken.stage, broken.gate) == (5, "ingest", "readable")
    assert broken.reason.startswith("images/00000005.png: damaged")
    assert missing.reason.endswith("00000007.png: the file is missing")
    assert done.manifest.rejected_by_gate == {"readable": 2}
    assert str(nih) not in f"{broken.reason}{missing.reason}", "a reason names no place on this machine"


def test_terms_and_label_set_go_into_manifest_and_card(store: LocalStore, nih: Path) -> None:
    done = put(store, f"nih:{nih}", text="labels")
    manifest = done.manifest
    assert (manifest.label_set, manifest.licence, manifest.credentialed) == (
        "nih-14", "LicenseRef-NIH-ChestX-ray14", False
    )  # fmt: skip
    assert "credit the NIH Clinical Center" in manifest.agreement
    card = store.get(done.ref.card("README.md")).decode()
    for told in (manifest.agreement, "| Mass | 4 | 7 | 0 | 0 |", "| labels | 11 |", "There is X.", "(nih-14)"):
        assert told in card
    croissant = json.loads(store.get(done.ref.card("croissant.json")))
    assert "synthetic" not in json.dumps(croissant)
    assert str(nih.parent) not in card + json.dumps(croissant) + store.get(done.ref.recipe).decode()
    own = put(store, f"nih:{nih}", licence="CC-BY-4.0", name="ours").manifest
    assert own.licence == "CC-BY-4.0"


def test_a_mimic_like_archive_is_under_its_agreement(store: LocalStore, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "mimic")
    tree.text("mimic-cxr-2.0.0-metadata.csv.gz", "dicom_id,subject_id,study_id,ViewPosition\n"
              "d1,10000032,50414267,PA\nd2,10000032,50414267,LATERAL\nd3,10000032,50414268,AP\n")  # fmt: skip
    tree.text("mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split\nd1,50414267,10000032,train\n")
    head = f"subject_id,study_id,{','.join(OBSERVATIONS)}\n"
    tree.text("mimic-cxr-2.0.0-chexpert.csv.gz", f"{head}10000032,50414267,,-1.0,0.0{',' * 10},1.0\n")
    for film, study in (("d1", 50414267), ("d2", 50414267), ("d3", 50414268)):
        tree.image(f"files/p10/p10000032/s{study}/{film}.jpg")
    report = " FINAL REPORT\n HISTORY: x\n\n FINDINGS:\n Small effusion,\n seen by ___.\n\n IMPRESSION:\n Effusion.\n"
    tree.text("files/p10/p10000032/s50414267.txt", report)
    done = put(store, f"mimic:{tree.root}", where={"view": ["PA", "AP"]}, text="labels")
    one, other = rows_of(store, done)
    assert (one.findings, one.impression, one.text_from) == ("Small effusion, seen by ___.", "Effusion.", "report")
    assert one.labels == {"Enlarged Cardiomediastinum": -1, "Cardiomegaly": 0, "Support Devices": 1}
    assert (one.patient, one.study, one.split) == ("10000032", "50414267", "train")
    assert (other.findings, other.text_from, other.labels) == ("", "none", {})
    assert done.manifest.credentialed
    assert done.listing.left_out == {"of another view": 1}
    assert done.manifest.statistics["labels"]["Enlarged Cardiomediastinum"] == [0, 0, 1]
    assert "share it only with people who signed" in store.get(done.ref.card("README.md")).decode()


def test_boxes_and_masks_lie_on_the_published_film(store: LocalStore, nih: Path, tmp_path: Path) -> None:
    (box,) = rows_of(store, put(store, f"nih:{nih}"))[0].boxes
    assert (box.finding, box.x, box.y, box.width, box.height) == ("Mass", 32, 8 + 12, 8, 3)
    tree = Tree(tmp_path / "siim")
    tree.text("train-rle.csv", f"ImageId, EncodedPixels\n1.2.3, {256 * 1024} {512 * 1024}\n1.2.4, -1\n")
    for name in ("1.2.3", "1.2.4"):
        (tree.root / "dicom-images-train").mkdir(exist_ok=True)
        dicom(tree.root / f"dicom-images-train/{name}.dcm", DEEP, 12, PatientID=f"p{name}", PatientAge="062Y")
    shown, empty = rows_of(store, put(store, f"siim:{tree.root}", name="siim"))
    area = decode_mask(shown.masks[0])
    assert (np.flatnonzero(area.any(axis=0))[[0, -1]] == (16, 47)).all()
    assert area[:, 16:48].all()
    assert (shown.labels, empty.labels, empty.masks) == ({"Pneumothorax": 1}, {"Pneumothorax": 0}, [])
    assert (shown.patient, shown.age) == ("p1.2.3", 62), "the header fills what no table tells"


def test_boxes_of_rsna_and_vindr_lie_on_the_published_film(store: LocalStore, tmp_path: Path) -> None:
    rsna = Tree(tmp_path / "rsna")
    rsna.text("stage_2_train_labels.csv", "patientId,x,y,width,height,Target\na,256,512,128,64,1\na,0,0,64,64,1\n")
    (rsna.root / "stage_2_train_images").mkdir()
    dicom(rsna.root / "stage_2_train_images/a.dcm", DEEP, 12)
    (row,) = rows_of(store, put(store, f"rsna:{rsna.root}", name="rsna"))
    boxes = [(box.finding, box.x, box.y, box.width, box.height) for box in row.boxes]
    assert boxes == [("Lung Opacity", 16, 32, 8, 4), ("Lung Opacity", 0, 0, 4, 4)]
    vindr, (height, width) = Tree(tmp_path / "vindr"), DEEP.shape
    corners = f"{width // 4},{height // 2},{width // 2},{height}"
    head = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
    vindr.text("train.csv", f"{head}b,Cardiomegaly,3,R1,{corners}\nb,No finding,14,R2,,,,\n")
    (vindr.root / "train").mkdir()
    dicom(vindr.root / "train/b.dicom", DEEP, 12)
    (row,) = rows_of(store, put(store, f"vindr:{vindr.root}", name="vindr"))
    boxes = [(box.finding, box.x, box.y, box.width, box.height) for box in row.boxes]
    assert boxes == [("Cardiomegaly", 16, 32, 16, 32)]


def test_a_view_that_only_the_header_tells_is_left_to_it(store: LocalStore, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    dicom(folder / "a.dcm", DEEP, 12, ViewPosition="PA")
    dicom(folder / "b.dcm", DEEP, 12, ViewPosition="LL")
    done = put(store, f"folder:{folder}", where={"view": ["PA", "AP"]})
    assert [row.view for row in rows_of(store, done)] == ["PA"]
    (reject,) = Version(store, done.ref, done.manifest).rejects()
    assert (reject.gate, reject.reason) == ("where", "b.dcm: of another view, as its header says (LL, None)")


def test_the_same_is_found_and_anything_else_is_another_version(store: LocalStore, nih: Path) -> None:
    first = put(store, f"nih:{nih}")
    again = put(store, f"nih:{nih}")
    assert (again.ref, again.new, again.manifest) == (first.ref, False, first.manifest)
    moved = nih.rename(nih.parent / "elsewhere")
    assert put(store, f"auto:{moved}").ref == first.ref, "the same films at another place are the same version"
    others = [{"size": 65}, {"text": "labels"}, {"part": "0-50"}, {"where": {"sex": ["F"]}}]
    refs = {put(store, f"nih:{moved}", **other).ref for other in others}
    assert len(refs | {first.ref}) == 5


def test_keep_takes_what_an_audit_kept(store: LocalStore, nih: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.csv"
    index.write_text("film,kept\n00000000.png,true\n00000001.png,false\n00000002.png,true\n", encoding="utf-8")
    done = put(store, f"nih:{nih}", keep=str(index))
    assert [row.provenance["film"] for row in rows_of(store, done)] == ["00000000.png", "00000002.png"]
    assert done.listing.left_out == {"not kept by the index": 10}
    index.write_text("film\nx\n", encoding="utf-8")
    with pytest.raises(ArchiveError, match="the index must be that of an audit of this archive"):
        put(store, f"nih:{nih}", keep=str(index))


def test_an_archive_without_a_readable_film_is_told(store: LocalStore, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no film")
    with pytest.raises(ArchiveError, match=r"none of its 1 samples was accepted.*readable took 1 \(a\.png: "):
        put(store, f"folder:{folder}")
    with pytest.raises(ArchiveError, match="is no folder"):
        put(store, f"nih:{tmp_path}/nowhere")
    with pytest.raises(ArchiveError, match="hospital-b@v1 is no archive: write LAYOUT:PATH"):
        ingest(store, SourceSection(source="hospital-b@v1"))


def test_reports_in_another_language_are_counted_and_not_taken(store: LocalStore, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "padchest")
    head = "ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,Projection,Report,MethodLabel,Labels\n"
    rows = (f"{name}.png,0,20140915,s-{name},p-{name},PA,{said},Physician,['normal']\n"
            for name, said in (("a", "sin hallazg patolog ."), ("b", "cardiomegali ."), ("c", "")))  # fmt: skip
    tree.text("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", head + "".join(rows))
    for name in "abc":
        tree.image(f"0/{name}.png")
    done = put(store, f"padchest:{tree.root}", text="labels")
    assert done.notes["reports that are not taken (Spanish, cut to word stems)"] == 2
    assert {row.text_from for row in rows_of(store, done)} == {"labels"}
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "a.txt").write_text("FINDINGS: Clear.", encoding="utf-8")
    Tree(tmp_path / "ours").image("a.png")
    assert not [note for note in put(store, f"folder:{tmp_path}/ours", name="ours").notes if "not taken" in note]


def test_a_name_is_made_where_none_is_given() -> None:
    assert dataset_name(SourceSection(source="nih:/data/NIH films")) == "nih-nih-films"
    assert dataset_name(SourceSection(source="nih:/data/NIH", name="ours")) == "ours"


def test_verify_finds_an_ingested_version_sound(store: LocalStore, nih: Path) -> None:
    done = put(store, f"nih:{nih}")
    found = verify_dataset(store, done.ref)
    assert (found.problems, found.notes, found.samples) == ((), (), 11)


LIFE = """
import sys, yaml
from storage.local import LocalStore
from tasks.ingest import ingest as module
from tasks.recipe.sources import SourceSection
module.LARGEST_SHARD = 4
section = SourceSection.model_validate(yaml.safe_load(sys.argv[2]))
module.ingest(LocalStore(sys.argv[1]), section, lambda *told: print(*told, flush=True))
"""


def content(store: LocalStore, ref: DatasetRef) -> dict[str, str]:
    """SHA-256 of each object of a version; of the manifest its shards, as it tells when it was made."""
    keys = [info.key for info in store.list(f"{ref.prefix}/") if not info.key.endswith(("manifest.json", "README.md"))]
    return {key: hashlib.sha256(store.get(key)).hexdigest() for key in keys}


@dataclass(frozen=True)
class Killed:
    """What is ingested, and what must come of it: SHA-256 by key."""

    section: dict[str, Any]
    content: dict[str, str]


def begin(store: Path, section: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LIFE, str(store), yaml.safe_dump(section)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """An archive of six shards, and the version that a run which nobody killed makes of it."""
    folder = tmp_path_factory.mktemp("killed")
    archive = write_nih(folder / "nih", films=24)
    section = {"source": f"nih:{archive}", "size": 128, "name": "films", "text": "labels"}
    assert begin(folder / "whole", section).wait(60) == 0
    whole = LocalStore(folder / "whole")
    return Killed(section, content(whole, resolve(whole, "films@latest")))


@pytest.mark.parametrize("after", [1, 10])
def test_killed_at_any_time_it_goes_on_and_every_film_is_there_once(
    tmp_path: Path, killed: Killed, after: int
) -> None:
    life = begin(tmp_path / "store", killed.section)
    assert life.stdout is not None
    for line in life.stdout:
        if line.startswith(f"films {after} "):
            os.kill(life.pid, signal.SIGKILL)
            break
    assert life.wait(60) == -signal.SIGKILL
    second = begin(tmp_path / "store", killed.section)
    told, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "films 24 24" in told
    store = LocalStore(tmp_path / "store")
    assert content(store, resolve(store, "films@latest")) == killed.content


def test_killed_in_mid_write_no_half_shard_counts(tmp_path: Path, killed: Killed) -> None:
    """Killed again and again, each time a little later after the first film, so also while a shard is written."""
    for wait in (0.0, 0.01, 0.02, 0.04):
        life = begin(tmp_path / "store", killed.section)
        assert life.stdout is not None
        for line in life.stdout:
            if line.startswith("films "):
                break
        time.sleep(wait)
        life.kill()
        life.wait(60)
    assert begin(tmp_path / "store", killed.section).wait(60) == 0
    store = LocalStore(tmp_path / "store")
    assert content(store, resolve(store, "films@latest")) == killed.content


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """Three shards of films of 2048 pixels, of which one alone fits into what is measured above the program's own."""
    archive = write_nih(tmp_path / "nih", films=48)
    section = {"source": f"nih:{archive}", "size": 2048, "name": "films"}
    # `ru_maxrss` of a child begins at its parent's; VmHWM is this program's own.
    code = f"{LIFE.replace('module.LARGEST_SHARD = 4', '')}\nfrom pathlib import Path\n" + (
        "print(int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) >> 10)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store"), yaml.safe_dump(section)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert int(done.stdout.split()[-1]) < 512, "MiB; the promise is 1024 for any archive"
