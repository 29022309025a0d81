"""Arms that learn from one source alone are trained and scored where the other one was never made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import DatasetMissing
from storage.tags import resolve
from storage.versions import open_dataset
from tasks.pretrain.checkpoint import CheckpointConflict
from tasks.pretrain.runs import RunTrials
from tests.flows.conftest import SmallFactory, run_flow
from tests.flows.ingested import synth
from tests.tasks.ingest.conftest import write_nih

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def ingested(factory: SmallFactory, tmp_path: Path) -> SmallFactory:
    """A store of two ingested versions of different patients, and nothing else."""
    archive = ["ingest", f"nih:{write_nih(tmp_path / 'nih', films=48)}", "--size", "64", "--text", "labels"]
    synth(factory, *archive, "--name", "nih", "--part", "0-50")
    synth(factory, *archive, "--name", "held-out", "--part", "50-100")
    return factory


def pairs_of_arms(factory: SmallFactory) -> dict[str, int]:
    """Pairs by arm, of the store's only run."""
    (key,) = [key for key in factory.objects() if key.endswith("/trials.json")]
    return {item.arm: item.pairs for item in RunTrials.model_validate_json(factory.store.get(key)).trials}


@pytest.mark.parametrize("only", ["[real]", "[random, real]"])
def test_real_data_alone_is_trained_and_scored_without_a_generated_version(
    ingested: SmallFactory, only: str, capfd: pytest.CaptureFixture[str]
) -> None:
    changes = ["sources.real=nih@latest", "sources.test=held-out@latest", f"pretrain.only={only}"]
    parameters = {**ingested.parameters(), "overrides": [f"storage.root={ingested.store.root}", *changes]}
    run_flow("pretrain", parameters)
    assert "synthetic is not there" in capfd.readouterr().err
    assert (
        pairs_of_arms(ingested)["real"] == open_dataset(ingested.store, resolve(ingested.store, "nih@latest")).accepted
    )
    assert run_flow("evaluate", parameters)["real"] > 0


def test_an_arm_on_generated_pairs_needs_the_generated_version(ingested: SmallFactory) -> None:
    changes = ["sources.real=nih@latest", "sources.test=held-out@latest", "pretrain.only=[mixed]"]
    before = ingested.objects()
    with pytest.raises(DatasetMissing, match=r"no dataset fast-cxr/v-\w+ .*: generate it first"):
        run_flow("pretrain", {**ingested.parameters(), "overrides": [f"storage.root={ingested.store.root}", *changes]})
    assert ingested.objects() == before


@pytest.mark.parametrize("real", ["null", "nosuch@latest", "nosuch@v-1"])
def test_generated_pairs_alone_need_no_real_ones(factory_after: Callable[[str], SmallFactory], real: str) -> None:
    factory = factory_after("curate")
    parameters = factory.parameters("pretrain.only=[synthetic]")
    parameters["overrides"] = [each for each in parameters["overrides"] if "sources.real" not in each]
    parameters["overrides"].append(f"sources.real={real}")
    run_flow("pretrain", parameters)
    assert pairs_of_arms(factory) == {"synthetic": 8}
    assert run_flow("evaluate", parameters)["synthetic"] > 0


def test_pairs_that_are_fewer_once_the_version_is_there_are_told_before_training(factory: SmallFactory) -> None:
    parameters = factory.parameters("sources.real.films=12", "pretrain.only=[real]")
    run_flow("pretrain", parameters)
    assert pairs_of_arms(factory) == {"real": 12}
    run_flow("generate", parameters)
    run_flow("curate", parameters)
    before = factory.objects()
    with pytest.raises(CheckpointConflict, match=r"or was missing then; say how many pairs an arm has \(pretrain"):
        run_flow("pretrain", parameters)
    assert factory.objects() == before


def test_an_ingested_version_is_curated_by_its_own_findings_and_trained_on(ingested: SmallFactory) -> None:
    rules = ["--set", "curate.caps={Hernia: 2, other: 99}"]
    ref = resolve(ingested.store, "nih@latest")
    before = ingested.objects()
    assert "not written" in synth(ingested, "curate", f"nih@{ref.version}", "--dry-run", *rules)
    assert ingested.objects() == before
    synth(ingested, "curate", "nih@latest", *rules)
    (kept,) = [key for key in ingested.objects() if key.startswith(f"selections/{ref.name}/{ref.version}/")]
    name = kept.split("/")[3]
    whole = open_dataset(ingested.store, ref).accepted
    changes = [f"sources.real=nih@latest/{name}", "sources.test=held-out@latest", "pretrain.only=[real]"]
    run_flow("pretrain", {**ingested.parameters(), "overrides": [f"storage.root={ingested.store.root}", *changes]})
    assert 2 <= pairs_of_arms(ingested)["real"] < whole


def test_a_version_that_is_not_there_is_not_curated(ingested: SmallFactory) -> None:
    before = ingested.objects()
    assert "nosuch" in synth(ingested, "curate", "nosuch@v-1", code=2)
    assert "'gout'" in synth(ingested, "curate", "nih@latest", "--set", "curate.caps.gout=3", code=2)
    assert ingested.objects() == before
