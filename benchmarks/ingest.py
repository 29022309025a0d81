"""Peak memory and speed of `synth ingest` and of the audit's listing, by the number of films.

    python benchmarks/ingest.py [--layout chexpert] [--rows 4000 40000] [--size 64] [--minutes 0] [--folder FOLDER]

Makes an archive with the tables of the real release, 0 rows being as many as it has, and films that are links to a few
small ones. Then the command runs in a process of its own, whose tree is looked at four times a second: ``peak`` is the
most that all of its processes held at once, ``own`` the most that the command's own process held, in MiB, pages that
processes share counted once for each. ``listed`` is the audit up to its first measured film. `--minutes` stops
ingesting early; how far it came is told. A folder that is given keeps its archives for the next call.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import made_archives
import psutil

from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.open import open_store
from storage.tags import resolve
from storage.versions import open_dataset

EVERY = 0.25
FOLDER = Path(__file__).parents[1]
SYNTH = "from flows.cli.app import app; app()"
LIST = """
import sys
from pathlib import Path
from models.findings.chest_recogniser import ChestRecogniser
from tasks.audit.archive import Settings, audit_archive

class Listed(Exception):
    pass

def told(stage, done, total):
    if stage.startswith("films"):
        print(total)
        raise Listed

try:
    audit_archive(Path(sys.argv[1]), Path(sys.argv[2]), Settings(), ChestRecogniser(), on_progress=told)
except Listed:
    pass
"""


@dataclass(frozen=True, slots=True)
class Peak:
    """Most memory in MiB that a command and its children held, and that it held itself; how long it ran."""

    tree: float
    own: float
    seconds: float
    ended: bool
    output: str


def run(command: Sequence[str], home: Path, minutes: float = 0) -> Peak:
    """Run a command and look at its memory until it ends, or for so many minutes.

    Raises:
        RuntimeError: it failed.
    """
    environment = {**os.environ, "SYNTHCXR_HOME": str(home), "PYTHONPATH": str(FOLDER)}
    begun = time.monotonic()
    with (home.parent / "output.txt").open("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        tree = own = 0.0
        while process.poll() is None and not (minutes and time.monotonic() - begun > 60 * minutes):
            sizes = [_resident(one) for one in _family(process.pid)]
            tree, own = max(tree, sum(sizes)), max(own, sizes[0] if sizes else 0.0)
            time.sleep(EVERY)
        ended = process.poll() is not None
        if not ended:
            process.terminate()
            process.wait(60)
        output.seek(0)
        text = output.read()
    if ended and process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {text[-2000:]}")
    return Peak(tree, own, time.monotonic() - begun, ended, text)


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.memory_info().rss / 2**20
    return 0.0


def measure(layout: str, rows: int, folder: Path, size: int, minutes: float) -> None:
    """List and ingest one archive, and print what it took."""
    root = folder / f"{layout}-{rows}"
    if not root.is_dir():
        begun = time.monotonic()
        made_archives.write_archive(root, layout, rows)
        print(f"{layout} {rows:>7} made in {time.monotonic() - begun:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        home, store = Path(scratch, "home"), Path(scratch, "store")
        home.mkdir()
        listed = run([sys.executable, "-c", LIST, str(root), str(Path(scratch, "audit"))], home)
        print(
            f"{layout} {rows:>7} listed   peak {listed.tree:6.0f} own {listed.own:6.0f} MiB  {listed.seconds:7.1f} s",
            flush=True,
        )
        words = ["ingest", f"{layout}:{root}", "--name", "films", "--size", str(size), "--text", "labels"]
        words += ["--set", f"storage.root={store}"]
        done = run([sys.executable, "-c", SYNTH, *words], home, minutes)
        films = _films(str(store)) if done.ended else _begun(store)
        print(
            f"{layout} {rows:>7} ingested peak {done.tree:6.0f} own {done.own:6.0f} MiB  {done.seconds:7.1f} s  "
            f"{films} films{'' if done.ended else ' of them'}, {films / done.seconds:.0f} a second",
            flush=True,
        )


def _films(root: str) -> int:
    store = open_store(root)
    return open_dataset(store, resolve(store, "films@latest")).accepted


def _begun(store: Path) -> int:
    """Films of the shards that are committed where ingesting was stopped."""
    version = next((store / "datasets" / "films").glob("*"), None)
    if version is None:
        return 0
    found = committed_shards(open_store(str(store)), DatasetRef("films", version.name))
    return sum(entry.accepted for entry in found.values())


def main() -> None:
    """Measure each layout at each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", nargs="+", default=list(made_archives.ROWS), choices=list(made_archives.ROWS))
    parser.add_argument("--rows", nargs="+", type=int, default=[4000, 40_000])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        for layout in asked.layout:
            for rows in asked.rows:
                measure(layout, rows or made_archives.ROWS[layout], folder, asked.size, asked.minutes)


if __name__ == "__main__":
    main()
