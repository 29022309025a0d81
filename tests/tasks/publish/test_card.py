"""The card: what its header says, what it inherits, and that every line it gives to read the data reads the data."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from storage.records import PairRow
from tasks.publish.card import LEARNT, LIMITS, build_card
from tasks.publish.terms import inherit
from tasks.recipe.schema import Recipe

READERS = {
    "webdataset": "got = {row['sample_id']: (film, text) for film, text, row in pairs}",
    "datasets": "got = {row['__key__']: (row['png'], row['txt']) for row in pairs}",
    "mlcroissant": """
got = {}
for row in pairs:
    said = {name.split('/')[1]: value for name, value in row.items()}
    text = f"FINDINGS: {said['findings'].decode()}\\n\\nIMPRESSION: {said['impression'].decode()}\\n"
    got[said['sample_id'].decode()] = (said['film'], text)
""",
}
PRINT = """
import hashlib, json
digest = lambda film: hashlib.sha256(film.convert('L').tobytes()).hexdigest()
print(json.dumps({name: [digest(film), text] for name, (film, text) in got.items()}))
"""


@pytest.fixture
def card(factory_version: Any) -> str:
    return (factory_version.folder / "card" / "README.md").read_text()


@pytest.fixture
def copy(factory_version: Any, tmp_path: Path) -> Path:
    """The version copied by hand, with the names of its folders."""
    ref = factory_version.ref
    return Path(shutil.copytree(factory_version.folder, tmp_path / "elsewhere" / ref.name / ref.version))


def python(code: str, folder: Path, caches: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run code in a folder, without a network and with caches of its own."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(caches / "hf"), "CROISSANT_CACHE": str(caches / "cr")}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert not check or run.returncode == 0, run.stderr[-3000:]
    return run


def block(card: str, library: str) -> str:
    """The one-liner of a library, as the card gives it."""
    return next(code for code in re.findall(r"```(?:python|sh)\n(.*?)```", card, re.S) if library in code)


def expected(version: Any) -> dict[str, list[str]]:
    """Digest of the pixels and report by sample id, straight from the rows and the tar's own bytes."""
    from storage.png import decode_png

    samples = version.samples()
    return {s.key: [hashlib.sha256(decode_png(s.png).tobytes()).hexdigest(), s.txt] for s in samples}


@pytest.mark.timeout(280)
@pytest.mark.parametrize("library", READERS)
def test_the_cards_line_reads_every_pair(library: str, card: str, factory_version: Any, tmp_path: Path) -> None:
    run = python(block(card, library) + READERS[library] + PRINT, factory_version.folder, tmp_path)
    assert json.loads(run.stdout.splitlines()[-1]) == expected(factory_version)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("library", READERS)
def test_the_cards_line_reads_attributes_and_labels_that_come_late(
    library: str, late_version: Any, tmp_path: Path
) -> None:
    card = (late_version.folder / "card" / "README.md").read_text()
    run = python(block(card, library) + READERS[library] + PRINT, late_version.folder, tmp_path)
    assert json.loads(run.stdout.splitlines()[-1]) == expected(late_version)


def test_datasets_gives_the_json_whole_where_a_label_comes_late(late_version: Any, tmp_path: Path) -> None:
    card = (late_version.folder / "card" / "README.md").read_text()
    code = block(card, "datasets") + "\nimport json; print(json.dumps([row['json'] for row in pairs]))"
    got = json.loads(python(code, late_version.folder, tmp_path).stdout.splitlines()[-1])
    rows = list(late_version.rows())
    assert [json.loads(said["labels"]) for said in got] == [row.labels for row in rows]
    assert [json.loads(said["mentions"]) for said in got] == [row.mentions for row in rows]
    assert [bool(row.labels) for row in rows].index(True) > 5


def test_the_cards_tar_line_gives_every_film_as_a_file(card: str, copy: Path, factory_version: Any) -> None:
    subprocess.run(["sh", "-ec", block(card, "tar -xf")], cwd=copy, check=True)
    films = {path.stem: Image.open(path) for path in (copy / "films").glob("*.png")}
    got = {name: [hashlib.sha256(film.tobytes()).hexdigest(), (copy / "films" / f"{name}.txt").read_text()]
           for name, film in films.items()}  # fmt: skip
    assert got == expected(factory_version)


@pytest.mark.timeout(280)
def test_the_cards_records_line_gives_entities_and_labels(card: str, factory_version: Any, tmp_path: Path) -> None:
    line = re.findall(r"`(datasets\.load_dataset\(\"parquet\".*?\))`", card)[0]
    run = python(f"import datasets, json; print(json.dumps({line}.to_list()))", factory_version.folder, tmp_path)
    got = {row["sample_id"]: row for row in json.loads(run.stdout.splitlines()[-1])}
    rows = list(factory_version.rows())
    assert got.keys() == {row.sample_id for row in rows}
    for row in rows:
        known = dict.fromkeys(got[row.sample_id]["present"], 1) | dict.fromkeys(got[row.sample_id]["absent"], 0)
        assert (known, got[row.sample_id]["entities"]) == (row.labels, row.entities)


CHECK = """
import mlcroissant
dataset = mlcroissant.Dataset("card/croissant.json")
issues = dataset.metadata.ctx.issues
print(sorted(issues.errors), sorted(issues.warnings), [records.uuid for records in dataset.metadata.record_sets])
"""


@pytest.mark.timeout(280)
def test_the_validator_has_nothing_to_say_and_a_changed_shard_is_refused(copy: Path, tmp_path: Path) -> None:
    run = python(CHECK, copy, tmp_path)
    assert run.stdout.splitlines()[-1] == "[] [] ['reports', 'pairs']"
    shard = copy / "pairs" / "00001.tar"
    shard.chmod(0o644)
    data = bytearray(shard.read_bytes())
    data[2000] ^= 1
    shard.write_bytes(data)
    changed = python(CHECK + "list(dataset.records('pairs'))", copy, tmp_path / "other", check=False)
    assert changed.returncode != 0
    assert "Hash of downloaded file" in changed.stderr
    assert "00001.tar" in changed.stderr


def test_the_header_is_what_the_hub_reads(card: str, factory_version: Any) -> None:
    manifest = factory_version.manifest
    _, header, body = card.split("---\n", 2)
    document = yaml.safe_load(header)
    assert document["license"] == "apache-2.0"
    assert document["size_categories"] == ["n<1K"]
    assert document["configs"][0]["data_files"] == "pairs/*.tar"
    assert document["synthcxr"] == {
        "fingerprint": manifest.fingerprint,
        "asked": 24,
        "accepted": manifest.accepted,
        "rejected": manifest.rejected,
        "credentialed": False,
    }
    assert all(limit in body for limit in LIMITS)
    assert "The recipe's seed is 0." in body
    assert re.search(rf"\| contrast \| 0\.78 \| [\d.]+ \| [\d.]+ \| {manifest.rejected} \|", body)
    assert re.search(rf"\| images \| 25 \| {manifest.accepted} \| 24 \|", body)
    assert "<script>" not in body


SAYS = {"reports": {"name": "writer", "licence": "Apache-2.0"}, "images": {"name": "painter", "licence": "MIT"}}


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate({"report_gates": [], "image_gates": [], **changes})


def test_terms_are_those_of_every_source_together() -> None:
    terms = inherit(recipe(), SAYS)
    assert terms.licence == "Apache-2.0 AND MIT"
    assert not terms.credentialed
    assert [source.role for source in terms.sources] == ["bank", "reports", "images"]


@pytest.mark.parametrize("licence", ["", "unknown", "see the model's own card", "Apache 2"])
def test_one_source_without_a_clear_licence_leaves_the_whole_unknown(licence: str) -> None:
    assert inherit(recipe(), SAYS | {"images": {"licence": licence}}).licence == "unknown"
    said = recipe(images={"generator": {"kind": "diffusers", "licence": "GPL-3.0-only OR MIT"}})
    assert inherit(said, SAYS | {"images": {"licence": licence}}).licence == "Apache-2.0 AND (GPL-3.0-only OR MIT)"


def test_a_bank_from_a_file_is_unknown_until_the_profile_says() -> None:
    assert inherit(recipe(plan={"bank": "mine.csv"}), SAYS).licence == "unknown"
    assert inherit(recipe(plan={"bank": "mine.csv", "licence": "MIT"}), SAYS).licence == "Apache-2.0 AND MIT"


@pytest.mark.parametrize("part", ["bank", "reports", "images"])
def test_one_credentialed_source_makes_the_data_credentialed(part: str, factory_version: Any) -> None:
    made = {"credentialed": True}
    parts: dict[str, Any] = {
        "bank": {"plan": made},
        "reports": {"reports": {"generator": {"kind": "vllm", **made}}},
        "images": {"images": {"generator": {"kind": "diffusers", **made}}},
    }
    terms = inherit(recipe(**parts[part]), SAYS)
    assert [source.role for source in terms.sources if source.credentialed] == [part]
    manifest = factory_version.manifest.model_copy(update={"credentialed": terms.credentialed, "licence": "A AND B"})
    card = build_card(manifest)
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["extra_gated_prompt"]
    assert (header["license"], header["license_name"]) == ("other", "A AND B")
    assert "Credentialed data" in card


def test_the_terms_of_a_version_say_where_they_come_from(factory_version: Any) -> None:
    manifest = factory_version.manifest
    assert (manifest.licence, manifest.credentialed) == ("Apache-2.0", False)
    assert [source["role"] for source in manifest.statistics["sources"]] == ["bank", "reports", "images"]


def test_records_hold_rows_in_the_order_of_the_shards(factory_version: Any) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(factory_version.folder / "card" / "records.parquet")
    rows: list[PairRow] = list(factory_version.rows())
    assert table.column("sample_id").to_pylist() == [row.sample_id for row in rows]
    shards = [int(shard) for shard in table.column("shard").to_pylist() if shard is not None]
    assert shards == sorted(shards)
    assert len(shards) == len(rows)


def test_the_card_says_what_reports_cost_by_entity(card: str) -> None:
    section = card.partition("## What reports cost, by entity\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert rows[0] == "| entity | asked | accepted | attempts each | tokens each | seconds each | cost each |"
    assert rows[1] == "|---|---|---|---|---|---|---|"
    asked = sum(int(line.split("|")[2]) for line in rows[2:])
    assert asked > 0
    assert all(line.count("|") == 8 for line in rows)


def test_a_card_with_figures_of_copies_says_what_they_do_not_show(factory_version: Any) -> None:
    plain = factory_version.manifest
    judged = plain.model_copy(update={"statistics": {**plain.statistics, "memorisation": {"sensitivity": 0.9}}})
    assert LEARNT not in build_card(plain)
    assert LEARNT in build_card(judged)
