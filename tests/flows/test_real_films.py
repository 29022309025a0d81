"""Real films go through the same commands as the phantom: ingested, trained on, tested on, and kept apart.

The films are 1,254 of NIH ChestX-ray14, which lie beside the checkout in ``../shared/data/nih_mini`` where they are
here; the numbers say nothing about a model that saw 64 pairs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.services.home import REPOSITORY
from storage.tags import resolve
from storage.versions import Version
from tests.flows.conftest import FAST, SmallFactory
from tests.flows.ingested import synth
from tests.tasks.ingest.conftest import write_nih

FILMS = REPOSITORY.parent / "shared" / "data" / "nih_mini"
ONE_ARM = (
    "pretrain.arms={real: {mix: [{source: real, count: all}]}, random: {control: random}}",
    "pretrain.only=[real, random]",
    "evaluate.comparisons=[[real, random]]",
)

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def changes(real: str, test: str) -> list[str]:
    """Options of a command: train one arm on one dataset's latest version, and test on another's."""
    told = (f"sources.real={real}@latest", f"sources.test={test}@latest", *ONE_ARM)
    return ["--profile", FAST, *(word for change in told for word in ("--set", change))]


@pytest.mark.skipif(not FILMS.is_dir(), reason=f"no real films here: {FILMS.name} is not beside the checkout")
def test_real_films_are_ingested_trained_on_and_scored_on_a_disjoint_part(factory: SmallFactory) -> None:
    archive = ["ingest", f"nih:{FILMS}", "--size", "128", "--text", "labels"]
    synth(factory, *archive, "--name", "nih-train", "--part", "0-40")
    synth(factory, *archive, "--name", "nih-test", "--part", "70-100")
    versions = [
        Version.open(factory.store, resolve(factory.store, f"{name}@latest")) for name in ("nih-train", "nih-test")
    ]
    rows = [list(version.rows()) for version in versions]
    assert min(map(len, rows)) > 200
    assert not {row.patient for row in rows[0]} & {row.patient for row in rows[1]}

    synth(factory, "pretrain", *changes("nih-train", "nih-test"))
    output = synth(factory, "evaluate", *changes("nih-train", "nih-test"))
    assert "real" in output
    assert "random" in output
    (key,) = [info.key for info in factory.store.list("runs/") if info.key.endswith("/scores.json")]
    (table,) = json.loads(factory.store.get(key))["tables"]
    assert table["dataset"] == str(versions[1])
    scores = {item["arm"]: item for item in table["scores"]}
    assert {*scores} == {"real", "random"}
    assert all(0.0 < item["macro"] < 1.0 for item in scores.values())
    assert scores["real"]["films"] == len(rows[1])
    assert {"Effusion", "Infiltration"} <= {*scores["real"]["per_label"]}, "the findings asked for are NIH's own"


def test_a_patient_in_training_and_test_stops_the_run_before_it_trains(factory: SmallFactory, tmp_path: Path) -> None:
    archive = ["ingest", f"nih:{write_nih(tmp_path / 'nih', films=24)}", "--size", "64", "--text", "labels"]
    synth(factory, *archive, "--name", "all")
    synth(factory, *archive, "--name", "some", "--where", "sex=F")
    output = " ".join(synth(factory, "pretrain", *changes("all", "some"), code=2).split())
    assert "12 films of the test set some@" in output
    assert "12 by patient, 12 by film" in output
    assert "Traceback" not in output, "the command line says it in one line"
    assert not list(factory.store.list("checkpoints/")), "nothing was trained"
    whole = " ".join(synth(factory, "pretrain", *changes("all", "all"), code=2).split())
    assert "is both trained on and tested on" in whole
