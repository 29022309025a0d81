"""No circle of files: no module of ours reaches itself over its imports, not even over those inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import networkx

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "models", "storage")


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the four packages with its file."""
    files = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    dotted = {".".join(path.relative_to(root).with_suffix("").parts): path for path in files}
    return {name.removesuffix(".__init__"): path for name, path in dotted.items()}


def imported(tree: ast.AST, known: Set[str]) -> Iterator[str]:
    """The modules among `known` that a module names in its imports, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                if inner in known or node.module in known:
                    yield inner if inner in known else node.module


def circles(files: Mapping[str, Path]) -> list[list[str]]:
    """Modules that reach each other: the strongly connected components of more than one module."""
    graph = networkx.DiGraph()
    for name, path in files.items():
        graph.add_edges_from((name, other) for other in imported(ast.parse(path.read_text()), files.keys()))
    return sorted(sorted(each) for each in networkx.strongly_connected_components(graph) if len(each) > 1)


def test_no_module_reaches_itself_over_its_imports() -> None:
    assert circles(modules()) == []


def test_a_circle_over_an_import_inside_a_function_is_seen(tmp_path: Path) -> None:
    for name, text in {
        "__init__": "",
        "low": "def late() -> None:\n    from models import high\n    high.early()\n",
        "high": "from models.low import late\n\n\ndef early() -> None:\n    late()\n",
        "alone": "import models.low\n",
    }.items():
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / f"{name}.py").write_text(text)
    assert circles(modules(tmp_path)) == [["models.high", "models.low"]]


def test_every_import_is_absolute_so_that_none_is_missed() -> None:
    relative = [
        name
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []
