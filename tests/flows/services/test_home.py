"""A state folder that cannot be used is told at once, in one line, before any server starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import proxy_bypass

import pytest

from flows.services.home import prepare
from storage.errors import ServiceError

PREPARE = (
    "import os, sys, flows.services.processes\nfrom flows.services.home import prepare\n"
    "os.setuid(int(sys.argv[1]))\nprepare()"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder, not made yet."""
    for name in ("PREFECT_HOME", "SYNTHCXR_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_it_is_made_and_nothing_is_left_in_it(home: Path) -> None:
    assert prepare() == home
    assert list(home.iterdir()) == []


def test_a_file_in_its_place_is_named(home: Path) -> None:
    home.touch()
    with pytest.raises(ServiceError, match=rf"^state folder {home}: File exists .*; set SYNTHCXR_HOME to .*written$"):
        prepare()


def test_a_name_that_is_too_long_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCXR_HOME", str(home / ("x" * 300)))
    with pytest.raises(ServiceError, match="File name too long"):
        prepare()


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder that other users reach: pytest closes its own folders to them whenever a session starts."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("SYNTHCXR_HOME", f"{folder}/state")
        yield Path(folder, "state")


@pytest.mark.parametrize("part", [".", "logs", "store", "prefect"])
def test_a_folder_of_another_user_is_named(open_home: Path, part: str) -> None:
    home = open_home
    (home / part).mkdir(parents=True)
    home.chmod(0o777)
    (home / part).chmod(0o555)
    user = 65534 if os.geteuid() == 0 else os.geteuid()  # root may write everywhere
    done = subprocess.run([sys.executable, "-c", PREPARE, str(user)], capture_output=True, text=True, check=False)
    assert "ServiceError: state folder" in done.stderr.splitlines()[-1]
    assert f"Permission denied ({home / part}" in done.stderr.splitlines()[-1]


def test_a_disk_with_no_room_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, (1 << 30) - (3 << 20), 3 << 20))
    with pytest.raises(
        ServiceError, match=r"^state folder .*: 3 MB are free on its disk, and a run needs 64 MB there"
    ):
        prepare()


def test_it_is_private_when_it_is_new_and_its_parts_always(home: Path) -> None:
    prepare()
    assert home.stat().st_mode & 0o777 == 0o700
    home.chmod(0o755)
    (home / "logs").mkdir(mode=0o755)
    prepare()
    assert home.stat().st_mode & 0o777 == 0o755  # it may be a folder that others share
    assert (home / "logs").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("given", ["", "corp.example", "localhost, corp.example"])
def test_no_proxy_stands_before_the_servers_of_this_machine(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    prepare()
    assert "NO_PROXY" not in os.environ
    monkeypatch.setenv("NO_PROXY", given)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    prepare()
    for url in ("127.0.0.1", "localhost"):
        assert proxy_bypass(url)
    assert bool(proxy_bypass("corp.example")) == ("corp" in given)
    assert os.environ["NO_PROXY"].count("localhost") == 1


def test_a_full_disk_is_no_reason_not_to_read_or_stop(
    monkeypatch: pytest.MonkeyPatch, mount_disk: Callable[[str], Path]
) -> None:
    disk = mount_disk("1m")
    monkeypatch.setenv("SYNTHCXR_HOME", str(disk))
    (disk / "filler").write_bytes(b"0" * (1 << 20))
    assert prepare(room=False) == disk
    with pytest.raises(ServiceError, match=r"^state folder .*: No space left on device"):
        prepare()
