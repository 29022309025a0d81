"""How the tests are shared out over worker processes (pytest-xdist): whole files, the slowest first."""

from __future__ import annotations

import os

import pytest

SLOWEST = (
    "tests/e2e/test_factory.py",
    "tests/chaos/test_chaos.py",
    "tests/models/language/test_vllm_engine.py",
    "tests/sweep/test_sweep.py",
    "tests/models/language/test_tensor_parallel.py",
    "tests/tasks/generate/test_isolation.py",
    "tests/tasks/audit/test_resume.py",
    "tests/models/language/test_vllm_server.py",
    "tests/chaos/test_cluster.py",
)
"""Files that take longest, in the order in which they begin: begun last, they would run alone at the end.

Beside the whole factory runs what needs little memory; the first worker's second file is the third of these.
"""


def pytest_configure(config: pytest.Config) -> None:
    """Before the workers start: each gets its share of the cores for the thread pools of OpenMP."""
    workers = config.getoption("numprocesses", None) or 1
    if workers > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker, put the slowest files first: files are handed out in the order in which they are collected."""
    if hasattr(config, "workerinput"):
        rank = {name: number for number, name in enumerate(SLOWEST)}
        items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
