"""A shard that always fails stops no other: the run ends with its name, and goes on when it is told to try again."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import failure
from flows.cli.app import app
from models.contracts import ProgressCallback
from storage.layout import DatasetRef
from storage.versions import open_dataset
from tasks.engine.watch import SetUpBroken, ShardsSetAside
from tasks.generate.image_stage import ImageStage
from tasks.generate.report_stage import ReportStage
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def fail_at(patch: pytest.MonkeyPatch, kind: type[ReportStage] | type[ImageStage], *shards: int) -> list[int]:
    """Have a stage raise at these shards; the shards that it was tried at."""
    usual: Any = kind.run
    tried: list[int] = []

    def run(self: Any, shard: int, on_progress: ProgressCallback | None = None) -> None:
        tried.append(shard)
        if shard in shards:
            raise ArithmeticError(f"shard {shard} does not converge")
        usual(self, shard, on_progress)

    patch.setattr(kind, "run", run)
    return tried


def synth(factory: SmallFactory, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--root", factory.store.root], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


def test_the_other_shards_are_done_and_the_same_run_finishes_after_a_retry(
    factory: SmallFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    small = factory.parameters("shard_size=2", "version=v1")  # 8 pairs in 4 shards
    ref = DatasetRef("fast-cxr", "v1")
    with pytest.MonkeyPatch.context() as patch:
        reports, images = fail_at(patch, ReportStage, 1), fail_at(patch, ImageStage, 3)
        with pytest.raises(
            ShardsSetAside, match=r"2 shards are set aside.*shard 1 .reports.*shard 3 .images"
        ) as raised:
            run_flow("generate", small)
        assert [reports.count(shard) for shard in range(4)] == [1, 3, 1, 1]
        assert [images.count(shard) for shard in range(4)] == [1, 0, 1, 3]
        with pytest.raises(ShardsSetAside):
            run_flow("generate", small)
        assert (len(reports), len(images)) == (6, 5), "what is set aside is not tried again"
    assert failure.report(raised.value) == 3
    assert factory.store.head(ref.manifest) is None
    assert "shard 1 (reports: ArithmeticError: shard 1 does not converge) is set aside" in capfd.readouterr().err
    shown = synth(factory, "status", "fast-cxr@v1")
    assert "set aside; `synth retry fast-cxr@v1`" in shown
    assert "00001" in shown
    assert "shard 3 does not converge" in shown
    synth(factory, "retry", "fast-cxr@v1", "0", code=2)
    assert "tries 3 again" in synth(factory, "retry", "fast-cxr@v1", "3")
    assert "tries 1 again" in synth(factory, "retry", "fast-cxr")
    assert "no shard is set aside" in synth(factory, "retry", "fast-cxr@v1")
    assert run_flow("generate", small)["accepted"] == 8
    assert open_dataset(factory.store, ref).accepted == 8
    assert list(factory.store.list("work/")) == []


def test_no_further_shard_is_tried_where_the_first_three_fail(
    factory: SmallFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = fail_at(monkeypatch, ImageStage, *range(8))
    with pytest.raises(SetUpBroken, match=r"images: ArithmeticError: shard 2 does not converge"):
        run_flow("generate", factory.parameters("shard_size=1", "version=v1"))
    assert tried == [0, 0, 0, 1, 1, 1, 2, 2, 2]
