"""Seeds are stable across processes and versions, wide, and within what every engine takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.plan.seeds import SEED_BITS, digest_bits, seed_for


def test_a_seed_never_changes_between_releases() -> None:
    assert seed_for("f" * 64, "ffffffff-00000042", "reports", 0) == 3975783438643335


@given(st.text(max_size=70), st.text(max_size=20), st.sampled_from(["reports", "images"]), st.integers(0, 20))
def test_a_seed_fits_every_engine(fingerprint: str, sample: str, stage: str, attempt: int) -> None:
    seed = seed_for(fingerprint, sample, stage, attempt)
    assert 0 <= seed < 2**SEED_BITS <= 2**53, "vLLM and torch take 63 bits, JSON is exact to 53"


def test_sample_stage_and_attempt_each_change_the_seed() -> None:
    seeds = {
        seed_for("f", f"f-{sample:08d}", stage, attempt)
        for sample in range(200)
        for stage in ("reports", "images")
        for attempt in range(5)
    }
    assert len(seeds) == 2000


def test_parts_do_not_run_into_each_other() -> None:
    assert digest_bits("ab", "c", bits=64) != digest_bits("a", "bc", bits=64)


def test_torch_takes_a_seed() -> None:
    import torch

    seed = 2**SEED_BITS - 1
    assert torch.Generator().manual_seed(seed).initial_seed() == seed
