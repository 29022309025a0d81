"""Real films go through the same commands as the phantom: ingested, trained on, tested on, and kept apart.

The films are 1,254 of NIH ChestX-ray14, which lie beside the checkout in ``../shared/data/nih_mini`` where they are
here; the numbers say nothing about a model that saw 64 pairs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli.errors import MENDABLE
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.pretrain import pretrain
from flows.services.home import REPOSITORY
from storage.tags import resolve
from storage.versions import Version
from tasks.ingest.leaks import SourcesLeak
from tests.flows.conftest import FAST, SmallFactory
from tests.tasks.ingest.conftest import write_nih

FILMS = REPOSITORY.parent / "shared" / "data" / "nih_mini"
ONE_ARM = [
    "pretrain.arms={real: {mix: [{source: real, count: all}]}, random: {control: random}}",
    "pretrain.only=[real, random]",
    "evaluate.comparisons=[[real, random]]",
]


def fields(factory: SmallFactory, *changes: str, **others: Any) -> dict[str, Any]:
    """Parameters of a flow on this store."""
    return {"profile": FAST, "overrides": [f"storage.root={factory.store.root}", *changes], **others}


@pytest.mark.server
@pytest.mark.skipif(not FILMS.is_dir(), reason=f"no real films here: {FILMS.name} is not beside the checkout")
@pytest.mark.usefixtures("prefect_server")
def test_real_films_are_ingested_trained_on_and_scored_on_a_disjoint_part(factory: SmallFactory) -> None:
    archive = {"source": f"nih:{FILMS}", "size": 128, "text": "labels"}
    ingest(**fields(factory, **archive, name="nih-train", part="0-40"))
    ingest(**fields(factory, **archive, name="nih-test", part="70-100"))
    versions = [resolve(factory.store, f"{name}@latest") for name in ("nih-train", "nih-test")]
    rows = [list(Version.open(factory.store, ref).rows()) for ref in versions]
    assert min(map(len, rows)) > 200
    assert not {row.patient for row in rows[0]} & {row.patient for row in rows[1]}

    run = fields(factory, "sources.real=nih-train@latest", "sources.test=nih-test@latest", *ONE_ARM)
    pretrain(**run)
    scores = evaluate(**run)
    assert {*scores} == {"real", "random"}
    assert all(0.0 < macro < 1.0 for macro in scores.values())
    (key,) = [info.key for info in factory.store.list("runs/") if info.key.endswith("/scores.json")]
    (table,) = json.loads(factory.store.get(key))["tables"]
    assert table["dataset"] == str(versions[1])
    real = next(item for item in table["scores"] if item["arm"] == "real")
    assert real["films"] == len(rows[1])
    assert {"Effusion", "Infiltration"} <= {*real["per_label"]}, "the findings asked for are NIH's own"


@pytest.mark.server
@pytest.mark.usefixtures("prefect_server")
def test_a_patient_in_training_and_test_stops_the_run_before_it_trains(factory: SmallFactory, tmp_path: Path) -> None:
    archive = {"source": f"nih:{write_nih(tmp_path / 'nih', films=24)}", "size": 64, "text": "labels"}
    ingest(**fields(factory, **archive, name="all"))
    ingest(**fields(factory, **archive, name="some", where=["sex=F"]))
    run = fields(factory, "sources.real=all@latest", "sources.test=some@latest", *ONE_ARM)
    with pytest.raises(SourcesLeak, match=r"12 films of the test set some@.*12 by patient, 12 by film"):
        pretrain(**run)
    assert not list(factory.store.list("checkpoints/")), "nothing was trained"
    assert SourcesLeak in MENDABLE, "the command line says it in one line"
    whole = fields(factory, "sources.real=all@latest", "sources.test=all@latest", *ONE_ARM)
    with pytest.raises(SourcesLeak, match="is both trained on and tested on"):
        pretrain(**whole)
