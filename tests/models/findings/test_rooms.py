"""Findings are data: nothing asks the phantom but the phantom, its source, and the makers of shipped assets."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
ALLOWED = ("models/phantom", "models/build", "tasks/corpora", "tasks/ingest")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_only_the_phantoms_own_rooms_import_it() -> None:
    files = [path for room in ("flows", "tasks", "models", "storage") for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 200
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if any(name.startswith("models.phantom") for name in imports(path))
    }
    assert {name for name in asking if not name.startswith(ALLOWED)} == set()


def test_the_plan_imports_neither_audits_nor_archives() -> None:
    for path in (ROOT / "tasks" / "plan").rglob("*.py"):
        assert not any(name.startswith(("tasks.audit", "tasks.corpora.archives")) for name in imports(path)), path
