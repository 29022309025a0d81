"""The precision in which the shipped nets are fitted."""

from __future__ import annotations

import pytest
import torch

from models.build.fit import quick_precision


@pytest.mark.parametrize(
    ("capability", "precision"), [("AVX512", "bfloat16"), ("AVX2", "float32"), ("DEFAULT", "float32")]
)
def test_bfloat16_is_taken_only_where_it_is_quick(
    capability: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert quick_precision() == precision
