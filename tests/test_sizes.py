"""The bounds of CONTRIBUTING: at most six parameters for a function, fewer than 400 lines for a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from pathlib import Path

import typer

from flows.cli.app import app

ROOT = Path(__file__).parents[1]
SOURCES = ("flows", "tasks", "models", "storage", "benchmarks", "docs")
PARAMETERS, LINES = 6, 400
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def commands(group: typer.Typer) -> Iterator[tuple[str, str]]:
    """Module and name of every function that is a command: each of its parameters is an option to people."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield command.callback.__module__, command.callback.__name__
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance)


def parameters(function: Function) -> list[str]:
    """Names of what callers give, keyword-only ones and stars included."""
    given = function.args
    stars = [star for star in (given.vararg, given.kwarg) if star is not None]
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, *stars)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def too_many(text: str, module: str, excepted: Set[tuple[str, str]] = frozenset()) -> list[str]:
    """Functions of a module, however deep, with more parameters than the bound."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)]
    return [
        f"{module}.{each.name} takes {len(parameters(each))} parameters: group them in a dataclass or options model"
        for each in functions
        if len(parameters(each)) > PARAMETERS and (module, each.name) not in excepted
    ]


def test_a_function_takes_at_most_six_parameters_unless_it_is_a_command() -> None:
    excepted = set(commands(app))
    found = [
        problem
        for path in files(*SOURCES)
        for problem in too_many(path.read_text(), ".".join(path.relative_to(ROOT).with_suffix("").parts), excepted)
    ]
    assert found == []


def test_keyword_only_parameters_and_stars_count_and_self_does_not() -> None:
    method = "class A:\n    def f(self, a, /, b, *rest, c=1, d=2{more}, **others): ...\n"
    assert too_many(method.format(more=""), "m") == []
    assert len(too_many(method.format(more=", e=3"), "m")) == 1
    assert too_many(method.format(more=", e=3"), "m", {("m", "f")}) == []


def test_a_file_has_fewer_than_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files(*SOURCES, "tests")}
    assert {path: length for path, length in lengths.items() if length >= LINES} == {}
