"""`synth ingest` run as a user runs it, and what it published; then the same version trained on and tested on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typer.testing import CliRunner

from flows.cli.app import app
from storage.layout import DatasetRef
from storage.png import decode_png
from storage.records import Box, Manifest, PairRow, RejectRow
from storage.tags import resolve
from storage.versions import Version
from tasks.evaluate.labelled_set import LabelledSet
from tasks.store.verify import verify_dataset
from tests.flows.conftest import FAST, SmallFactory

SIDE = 64
"""Of a published film, in pixels."""
BRIGHT, DARK = 230, 30


@dataclass(frozen=True, slots=True)
class Published:
    """A version: its rows and films by the archive's film ids, the ids in order, its rejects and its card."""

    ref: DatasetRef
    manifest: Manifest
    rows: dict[str, PairRow]
    films: dict[str, np.ndarray]
    rejects: list[RejectRow]
    card: str
    output: str

    @property
    def labels(self) -> dict[str, dict[str, int]]:
        """Labels by film."""
        return {film: row.labels for film, row in self.rows.items()}

    def shows(self, film: str, box: Box) -> bool:
        """Whether a film is bright in a box and dark all around it, but for the pixels on its edges."""
        pixels, inside = self.films[film].astype(int), np.zeros((SIDE, SIDE), bool)
        left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
        inside[round(top) + 1 : round(bottom) - 1, round(left) + 1 : round(right) - 1] = True
        around = np.ones((SIDE, SIDE), bool)
        around[max(0, round(top) - 1) : round(bottom) + 1, max(0, round(left) - 1) : round(right) + 1] = False
        return bool(inside.any() and pixels[inside].min() > BRIGHT and pixels[around].max() < DARK)


def synth(factory: SmallFactory, *words: str, code: int = 0) -> str:
    """The output of a command on the factory's store.

    Raises:
        AssertionError: it ended with another exit code.
    """
    result = CliRunner().invoke(app, [*words, "--set", f"storage.root={factory.store.root}"])
    assert result.exit_code == code, result.output
    return result.output


def ingest(factory: SmallFactory, source: str, *words: str, name: str = "films") -> Published:
    """Publish an archive by the command and read back what it published, which must be sound."""
    output = synth(factory, "ingest", source, "--name", name, "--size", str(SIDE), *words)
    ref = resolve(factory.store, f"{name}@latest")
    version = Version.open(factory.store, ref)
    found = verify_dataset(factory.store, ref)
    assert (found.problems, found.notes) == ((), ()), found
    rows = {str(row.provenance["film"]): row for row in version.rows()}
    pixels = {sample.key: decode_png(sample.png) for sample in version.samples()}
    return Published(
        ref,
        version.manifest,
        rows,
        {film: pixels[row.sample_id] for film, row in rows.items()},
        list(version.rejects()),
        factory.store.get(ref.card("README.md")).decode(),
        " ".join(output.split()),
    )


def trained_and_tested(factory: SmallFactory, real: Published, test: Published, *changes: str) -> str:
    """Pretrain an arm on one version and score it on another, by the commands; the output of the second."""
    arms = "pretrain.arms={real: {mix: [{source: real, count: all}]}, random: {control: random}}"
    asked = [
        f"sources.real={real.ref.name}@{real.ref.version}",
        f"sources.test={test.ref.name}@{test.ref.version}",
        arms,
        "pretrain.only=[real, random]",
        "pretrain.samples_seen=16",
        "evaluate.comparisons=[[real, random]]",
        *changes,
    ]
    words = [word for change in asked for word in ("--set", change)]
    synth(factory, "pretrain", "--profile", FAST, *words)
    return " ".join(synth(factory, "evaluate", "--profile", FAST, *words).split())


def as_test_set(factory: SmallFactory, published: Published) -> LabelledSet:
    """A published version as evaluation tasks see it."""
    return LabelledSet(Version.open(factory.store, published.ref))
