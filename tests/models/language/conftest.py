"""One engine for every test of this folder, requests to put to it, and a folder of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.contracts import Mention, ReportRequest
from models.language.options import VllmOptions
from models.language.vllm_engine import VllmReportGenerator
from tasks.plan.plan import make_plan
from tasks.recipe.schema import GateSpec, Recipe


@pytest.fixture(scope="session")
def planned() -> list[tuple[Mention, ...]]:
    """What the default plan asks of its first 32 reports."""
    recipe = Recipe(pairs=32, report_gates=(GateSpec(kind="completeness", threshold=1.0),), image_gates=())
    return [spec.mentions for spec in make_plan(recipe, "e" * 64).samples(0, 32)]


@pytest.fixture(scope="session")
def requests_for(planned: list[tuple[Mention, ...]]) -> Callable[..., list[ReportRequest]]:
    """The first so many requests, seeded by their number."""

    def make(count: int, attempt: int = 0) -> list[ReportRequest]:
        return [ReportRequest(f"s-{n}", planned[n], 7919 * n + 31 * attempt, attempt) for n in range(count)]

    return make


@pytest.fixture(scope="session")
def engine() -> VllmReportGenerator:
    """The default generator on a real vLLM engine, started once."""
    generator = VllmReportGenerator(VllmOptions(max_model_len=1024))
    assert generator.llm is not None
    return generator


@pytest.fixture
def free_engine(engine: VllmReportGenerator) -> VllmReportGenerator:
    """The same running engine without grammars."""
    generator = VllmReportGenerator(VllmOptions(decoding="free", max_model_len=1024))
    generator.weights, generator.llm = engine.weights, engine.llm
    return generator


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own, so that it finds no weights of an earlier run."""
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a configuration and weights, as far as their names and bytes matter."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights")
    return path
