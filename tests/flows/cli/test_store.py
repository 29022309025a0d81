"""The commands that look after a store, on a folder and on the managed SeaweedFS."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from storage import server
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.objects import ObjectStore
from tests.storage.small_s3 import Honest, serving

World = Callable[..., DatasetRef]
COMMANDS = ("status", "versions", "diff", "tag", "explain", "verify", "gc")


@dataclass
class Place:
    """A store, and how the commands are pointed at it."""

    store: ObjectStore
    options: list[str]

    def run(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, *self.options], env={"COLUMNS": "200"})
        assert result.exit_code == code, (result.output, result.exception)
        return result.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder whose managed store runs, as `synth serve` leaves it."""
    home = tmp_path_factory.mktemp("home")
    server.start(home)
    yield home
    server.stop(home)


@pytest.fixture(params=["folder", pytest.param("managed", marks=pytest.mark.server)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Each kind of store in turn; the managed one is emptied first."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nobody's")  # neither kind of store takes anything from the shell
    if request.param == "folder":
        monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
        return Place(LocalStore(tmp_path / "store"), ["--root", str(tmp_path / "store")])
    home: Path = request.getfixturevalue("running")
    monkeypatch.setenv("SYNTHCXR_HOME", str(home))
    address = server.running(home)
    assert address is not None
    store = address.store()
    for info in list(store.list("")):
        store.delete(info.key)
    return Place(store, [])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_an_example(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"}).output
    assert f"  synth {command}" in told
    assert "--root" in told


def test_a_version_is_looked_after_from_status_to_garbage(
    place: Place, publish: World, begin: World, use: Any
) -> None:
    ref = publish(place.store)
    use(place.store, ref)
    other = publish(place.store, seed=1)
    begin(place.store, 1, seed=2)

    told = place.run("status", "films")
    assert "1 of 2" in told
    assert "2 of 6 pairs accepted" in told
    assert "00001" in place.run("status", f"films@{ref.version}", "--shards")

    assert "films@champion is" in place.run("tag", f"films@{ref.version}", "champion")
    assert "films@latest is" in place.run("tag", other.version, "latest")
    told = place.run("versions", "films")
    assert f"films@{ref.version}" in told
    assert "champion" in told
    assert "not yet" in told

    assert "seed" in place.run("diff", "films@champion", "latest")
    assert "seed" in place.run("diff", ref.version, other.version)
    assert "do not differ" in place.run("diff", ref.version, ref.version)

    told = place.run("explain", "sample-00001", "--in", "films@champion")
    assert "accepted" in told
    assert "arm synthetic, seed 5 (checkpoints/" in " ".join(told.split())
    assert "run run-1" in " ".join(told.split())

    assert "nothing wrong" in place.run("verify", "films@champion")
    place.store.put(ref.reports(5), b"left behind")
    assert "synth gc" in place.run("verify", "films@champion")
    assert "1 objects, 0.0 kB, would be removed" in place.run("gc")
    assert place.store.head(ref.reports(5)) is not None
    assert "removed" in place.run("gc", "--apply")
    assert place.store.head(ref.reports(5)) is None
    assert "nothing wrong" in place.run("verify", "films@champion")


def test_verify_ends_with_one_and_names_the_object(place: Place, publish: World) -> None:
    ref = publish(place.store)
    data = place.store.get(ref.pairs(1))
    place.store.put(ref.pairs(1), data[:700] + bytes([data[700] ^ 1]) + data[701:], create_only=False)
    told = place.run("verify", f"films@{ref.version}", code=1)
    assert "pairs/00001.tar: the film of sample sample-00003 is not the one its row names" in told
    assert "problems" in told


def test_every_result_is_to_be_had_as_json(place: Place, publish: World) -> None:
    ref = publish(place.store)
    place.store.put(ref.reports(5), b"left behind")
    for words in (
        ["status", "films"],
        ["versions"],
        ["diff", ref.version, ref.version],
        ["explain", "sample-00001"],
        ["verify", ref.version],
        ["gc"],
    ):
        assert ref.version in json.dumps(json.loads(place.run(*words, "--json"))), words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["status", "flims"], "there are: films@v-"),
        (["verify", "films@v-0"], "there are: films@v-"),
        (["versions", "flims"], "no dataset 'flims'"),
        (["explain", "sample-99999"], "no sample 'sample-99999'"),
        (["diff", "v-0", "v-1"], "no version is meant by 'v-0'"),
        (["tag", "films", "a/b"], "cannot be a tag"),
        (["gc", "--abandon", "films"], "is published"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_two(
    tmp_path: Path, publish: World, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    publish(LocalStore(tmp_path / "store"))
    result = CliRunner().invoke(app, [*words, "--root", str(tmp_path / "store")])
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_store_that_is_no_address_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["versions", "--root", "ftp://films"])
    assert result.exit_code == 2
    assert "neither 'managed'" in result.output


def test_looking_at_a_folder_that_is_not_there_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(app, ["versions", "--root", str(tmp_path / "store")])
    assert "no versions" in result.output
    assert not (tmp_path / "store").exists()


def test_the_region_of_a_bucket_can_be_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Abroad(Honest):
        def do_GET(self) -> None:
            if "/eu-north-1/s3/" not in self.headers["Authorization"]:
                return self.refuse(400, "AuthorizationHeaderMalformed")
            return super().do_GET()

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "known")
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path))
    with serving(Abroad) as store:
        words = ["versions", "--root", "s3://films", "--endpoint", str(store.connection.endpoint)]
        assert CliRunner().invoke(app, [*words, "--region", "eu-north-1"]).exit_code == 0
        assert CliRunner().invoke(app, words, env={"AWS_REGION": "eu-north-1"}).exit_code == 0
        refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "--region" in refused.stderr


@pytest.mark.parametrize("option", [["--root", "s3://films", "--endpoint", "http://u:CANARY@127.0.0.1:9"], []])
def test_no_password_of_an_address_is_shown(
    option: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    variables = {"AWS_ENDPOINT_URL": "http://u:CANARY@127.0.0.1:9", "HTTP_PROXY": "http://u:CANARY@127.0.0.1:9"}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "SYNTHCXR_HOME": str(tmp_path)}
    for name, value in {**variables, **keys}.items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["versions", *(option or ["--root", "s3://films"])])
    assert shown.exit_code == 2
    assert "CANARY" not in shown.output
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["versions", "--root", "gs://films"], env={"SYNTHCXR_HOME": str(tmp_path)})
    assert shown.exit_code == 2
    assert "--root" in shown.stderr
    assert "gs://films" in shown.stderr


@pytest.mark.parametrize("hours", ["-1", "nan", "inf", "1e300"])
def test_an_age_that_no_clock_subtracts_is_refused(tmp_path: Path, hours: str) -> None:
    result = CliRunner().invoke(app, ["gc", "--root", str(tmp_path), "--hours", hours])
    assert result.exit_code == 2
    assert "--hours" in result.output
