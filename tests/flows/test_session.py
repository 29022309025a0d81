"""A flow's session: one recipe for it and its subflows, tracking that is whole, and no secret of the shell's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.parameters import FlowParameters
from flows.services.processes import Services
from flows.services.served import users
from flows.session import managed_tracking, open_run, recipe_of
from storage.process import end_services, spawn
from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import version_of
from tasks.recipe.profile import dump_recipe
from tasks.track.errors import TrackingError
from tests.flows.conftest import FAST, SmallFactory
from tests.tasks.track.databases import half_made

CANARY = "http://me:CANARY@127.0.0.1:9"
IN_ANOTHER_PROCESS = (
    "import json, sys; from flows.services.home import prepare; prepare(); from flows.generate import generate; "
    "print(json.dumps(generate(**json.loads(sys.argv[1]))))"
)


def test_the_managed_database_is_whole_before_mlflow_opens_it(tracked_home: Path, tmp_path: Path) -> None:
    said: list[str] = []
    shutil.copy(tracked_home / "mlflow.db", tmp_path / "mlflow.db")
    assert managed_tracking(tmp_path, said.append) == f"sqlite:///{tmp_path}/mlflow.db"
    assert said == []
    half_made(tmp_path / "mlflow.db")
    managed_tracking(tmp_path, said.append)
    assert len(said) == 1
    assert "kept as mlflow.db.broken-" in said[0]


@pytest.mark.parametrize("named", [False, True], ids=["managed", "by its address"])
def test_a_run_counts_as_a_user_of_a_served_mlflow(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    home = tmp_path / "home"
    shutil.copytree(tracked_home, home)
    monkeypatch.setenv("SYNTHCXR_HOME", str(home))
    uri = f"sqlite:///{tmp_path}/served.db"
    shutil.copy(home / "mlflow.db", tmp_path / "served.db")
    server = spawn("mlflow", home, [sys.executable, "-c", "import time; time.sleep(60)"], url=uri)
    Services(services=(server,)).save(home)
    changes = [f"storage.root={tmp_path / 'store'}", *([f"tracking.uri={uri}"] if named else [])]
    try:
        with open_run("generate", FlowParameters(profile=FAST, pairs=8, overrides=tuple(changes))) as run:
            assert run.tracked.client.tracking_uri == uri
            assert [user.pid for user in users(home)] == [os.getpid()]
        assert users(home) == []
    finally:
        end_services(home, {"mlflow": server})


def test_a_run_writes_no_secret_of_the_shell(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tracked_home, tmp_path / "home")
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home" / "prefect"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, CANARY)
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "CANARY")
    before = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "MLFLOW_"))}
    changes = [f"storage.root={tmp_path / 'store'}", "tracking.experiment=odd % name"]
    with open_run("generate", FlowParameters(profile=FAST, pairs=8, overrides=tuple(changes))) as run:
        run.store.put("kept", b"data")
        assert run.tracked.losses.count == 0
    assert {name: os.environ.get(name) for name in before} == before
    shown = capfd.readouterr()
    assert "CANARY" not in shown.out + shown.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "recipe.yaml" for path in written)
    assert [path for path in written if b"CANARY" in path.read_bytes()] == []


@pytest.mark.server
def test_a_subflow_in_another_process_joins_its_parent_run(factory: SmallFactory, prefect_server: str) -> None:
    with open_run("synth", FlowParameters(**factory.parameters())) as parent:
        env = {**os.environ, "PREFECT_API_URL": prefect_server, "PREFECT_LOGGING_LEVEL": "WARNING"}
        command = [sys.executable, "-c", IN_ANOTHER_PROCESS, json.dumps(parent.for_subflow())]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert {run.info.run_id: run.info.status for run in factory.runs()}[parent.tracked.id] == "RUNNING"
        assert not parent.tracked.incomplete()
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["dataset"] == str(parent.ref)
    first, second = factory.runs()
    assert (first.info.run_id, first.info.status) == (parent.tracked.id, "FINISHED")
    assert second.data.tags["mlflow.parentRunId"] == parent.tracked.id
    assert second.info.run_name == "generate"
    assert second.data.metrics["accepted"] == result["accepted"]


def test_an_edit_of_the_profile_in_mid_run_changes_nothing(factory: SmallFactory, tmp_path: Path) -> None:
    profile = Path(shutil.copy(FAST, tmp_path / "edited.yaml"))
    with open_run("synth", FlowParameters.model_validate(factory.parameters() | {"profile": str(profile)})) as parent:
        profile.write_text(profile.read_text().replace("seed: 11", "seed: 12") + "seed: 99\n")
        given = FlowParameters(**parent.for_subflow())
        assert recipe_of("synth", given) == parent.recipe
        with open_run("curate", given) as child:
            assert child.ref == parent.ref
            assert child.tracked.id == parent.tracked.id


def test_a_flow_of_another_recipe_cannot_join(factory: SmallFactory) -> None:
    given = factory.parameters()
    with open_run("synth", FlowParameters(**given)) as parent:
        with open_run("curate", FlowParameters(**given, parent_run=parent.tracked.id)) as same:
            assert same.recipe == parent.recipe
        other = FlowParameters(**factory.parameters("seed=99"), parent_run=parent.tracked.id)
        with pytest.raises(TrackingError, match="was begun with another recipe") as raised, open_run("curate", other):
            pass
        assert "give its whole recipe as parameter recipe, or leave parent_run empty" in str(raised.value)


def test_a_parent_run_that_is_not_there_is_refused(factory: SmallFactory) -> None:
    asked = FlowParameters(**factory.parameters(), parent_run="f" * 32)
    with pytest.raises(TrackingError, match="knows no run 'fff"), open_run("generate", asked):
        pass
    assert factory.objects() == {}


def test_a_whole_recipe_stands_alone() -> None:
    recipe = recipe_of("synth", FlowParameters(profile=FAST))
    assert version_of(recipe) == "v-27e7aebfbc"
    text = dump_recipe(recipe)
    assert recipe_of("synth", FlowParameters(profile="anything", recipe=text)) == recipe
    with pytest.raises(RecipeError, match="pairs=8, seed=3 would change it"):
        recipe_of("synth", FlowParameters(recipe=text, pairs=8, overrides=("seed=3",)))
    with pytest.raises(RecipeError, match="it is no mapping"):
        recipe_of("synth", FlowParameters(recipe="just a line"))
    with pytest.raises(RecipeError, match="pears: unknown key"):
        recipe_of("synth", FlowParameters(recipe=f"{text}\npears: 3\n"))
