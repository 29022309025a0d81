"""Render a hospital's archive once and keep it on disk, so that a training can start again at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.phantom.archive import render_many
from models.phantom.case import draw_case
from models.phantom.hospital import Hospital
from models.phantom.vocabulary import Finding
from models.training.distributed import barrier, rank, world_size

CHUNK = 500
SIZE = 128  # pixels of a film's side
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RenderedArchive:
    """An archive in memory: `images` (n, H, W) uint8, `labels` (n, L), impressions, findings and defects."""

    images: np.ndarray
    labels: np.ndarray
    impressions: list[str]
    findings: list[tuple[Finding, ...]]
    defects: list[str | None]

    def __len__(self) -> int:
        return len(self.images)


def load_films(
    hospital: Hospital, seed: int, count: int, cache: Path, *, workers: int = 2, progress: Progress = print
) -> RenderedArchive:
    """The first `count` films of an archive, rendered where `cache` does not hold them yet."""
    folder = cache / f"films-{hospital.name}-{seed}-{SIZE}"
    folder.mkdir(parents=True, exist_ok=True)
    chunks = {start: folder / f"{start:06d}.npz" for start in range(0, count, CHUNK)}
    for start, path in list(chunks.items())[rank() :: world_size()]:
        if not path.exists():
            _render(path, hospital, seed, range(start, start + CHUNK), workers)
            progress(f"rendered films {start} to {start + CHUNK} of hospital {hospital.name}")
    barrier()
    parts = []
    for path in chunks.values():
        with np.load(path) as part:
            parts.append((part["images"], part["labels"], json.loads(str(part["impressions"]))))
    cases = [draw_case(hospital, seed, index) for index in range(count)]
    return RenderedArchive(
        np.concatenate([p[0] for p in parts])[:count],
        np.concatenate([p[1] for p in parts])[:count],
        [text for p in parts for text in p[2]][:count],
        [case.findings for case in cases],
        [case.defect for case in cases],
    )


def _render(path: Path, hospital: Hospital, seed: int, indices: range, workers: int) -> None:
    images, labels, impressions = render_many(hospital, seed, indices, size=SIZE, workers=workers)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, images=images, labels=labels, impressions=json.dumps(impressions))
    partial.rename(path)
