"""A worker needs what its own stage runs on, and nothing of the other's: the packages are hidden from the imports."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.contracts import ProgressCallback
from models.phantom.template import TemplateReportGenerator
from storage.layout import DatasetRef
from storage.ledger import committed_shard, load_reports
from storage.objects import ObjectStore
from tasks.engine.engine import Left, Round
from tasks.engine.engines import open_engine
from tasks.engine.stage import Stage
from tests.making import Making, fast_recipe

ROOT = Path(__file__).parents[3]
REF = DatasetRef("apart", "v1")
WORKER = """
import sys
from importlib.machinery import PathFinder

hidden, path, shard = sys.argv[1].split(","), sys.argv[2], int(sys.argv[3])

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
for name in hidden:
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} is not hidden")
import pickle
with open(path, "rb") as stream:
    stage = pickle.load(stream)
stage.run(shard)
"""


class Telling:
    """A stage that writes which modules its worker has imported after a shard."""

    def __init__(self, inner: Stage, folder: Path) -> None:
        self.inner, self.folder = inner, folder
        self.name, self.resources = inner.name, inner.resources

    def missing(self, store: ObjectStore) -> Sequence[int]:
        return self.inner.missing(store)

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        self.inner.run(shard, on_progress)
        (self.folder / self.name).write_text(" ".join({name.partition(".")[0] for name in sys.modules}))

    def imported(self) -> set[str]:
        return set((self.folder / self.name).read_text().split())


def run_without(packages: str, stage: Stage, folder: Path) -> None:
    """Run shard 0 of a stage in a process that cannot import `packages`."""
    path = folder / "stage.pickle"
    path.write_bytes(pickle.dumps(stage))
    argv = [sys.executable, "-c", WORKER, packages, str(path), "0"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]


def making_of(folder: Path, *changes: str) -> Making:
    """Four samples on our pipeline, in two steps; its tokenizer counts the reports' prompts."""
    small = ("pairs=4", "shard_size=4", "images.generator.kind=diffusers", "images.batch=2")
    options = "images.generator.options={model: 'builtin:phantom', steps: 2}"
    gates = ("report_gates=[{kind: prompt_length, threshold: 0.0}]", "image_gates=[{kind: finite, threshold: 1.0}]")
    return Making(fast_recipe(*small, options, *gates, *changes), folder / "store", REF)


@pytest.mark.engine
def test_a_worker_without_vllm_draws_the_films_of_reports_that_vllm_is_to_write(tmp_path: Path) -> None:
    making = making_of(tmp_path, "reports.generator.kind=vllm")
    making.reports.__dict__["report_generator"] = TemplateReportGenerator()
    making.reports.run(0)
    run_without("vllm,ray", making.images, tmp_path)
    entry = committed_shard(making.store, REF, 0)
    assert entry is not None
    assert entry.accepted == 4


def test_a_worker_without_diffusers_writes_the_reports_of_films_that_diffusers_is_to_draw(tmp_path: Path) -> None:
    making = making_of(tmp_path)
    run_without("diffusers,xformers,ray", making.reports, tmp_path)
    stored = load_reports(making.store, REF, 0)
    assert stored is not None
    assert len(stored[0]) == 4
    (gates,) = {tuple(gate.gate for gate in row.gates) for row in stored[0]}
    assert gates == ("prompt_length",), "the tokenizer of the pipeline was there to count"


@pytest.mark.engine
def test_a_real_engine_writes_without_diffusers_too(tmp_path: Path) -> None:
    making = making_of(tmp_path, "reports.generator.kind=vllm")
    run_without("diffusers,xformers", making.reports, tmp_path)
    stored = load_reports(making.store, REF, 0)
    assert stored is not None
    assert len(stored[0]) + len(stored[1]) == 4


@pytest.mark.engine
def test_workers_of_a_cluster_import_what_their_own_stage_runs_on(tmp_path: Path) -> None:
    making = making_of(tmp_path)
    stages = [Telling(stage, tmp_path) for stage in making.stages]
    lacking = {stage.name: frozenset({0}) for stage in stages}
    with open_engine("ray", stages) as engine:
        left = list(engine.run(Round([0], lacking, lambda _, __, call: call(), lambda _: None)))
    assert left == [Left(0)]
    reports, images = (stage.imported() for stage in stages)
    assert not {"diffusers", "xformers"} & reports
    assert "vllm" not in images
    assert "diffusers" in images
