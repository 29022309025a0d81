"""A class named ``module:Class``: what is wrong with it is told, and its errors name it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from models.own_kinds import OwnKindFailed, named
from models.registry import UnknownKind, build, problems

SOURCE = """
import dataclasses
NUMBER = 3
class Sound:
    unit = "mm"
    def measure(self): return 1
class SetsItsUnit:
    def __init__(self, unit: str = "mm"): self.unit = unit
    def measure(self): return 1
@dataclasses.dataclass
class Field:
    unit: str = dataclasses.field(default_factory=str)
    def measure(self): return 1
class Empty: pass
class NoUnit:
    def measure(self): return 1
class NeverSetsItsUnit:
    def __init__(self): self.other = 1
    def measure(self): return 1
class Raises:
    unit = "mm"
    def __init__(self): raise KeyError("spoon")
    def measure(self): return 1
"""


class Ruler(Protocol):
    """What the kinds of this test serve as."""

    @property
    def unit(self) -> str: ...

    def measure(self) -> int: ...


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    (tmp_path / "own_rulers.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "own_broken.py").write_text("1 +\n", encoding="utf-8")
    (tmp_path / "own_needy.py").write_text("import not_installed_at_all\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return lambda kind: problems({"tape": "x:Y"}, kind, {}, Ruler).get("kind", "")


@pytest.mark.parametrize("name", ["Sound", "SetsItsUnit", "Field"])
def test_a_class_with_what_is_needed_is_built(wrong: Callable[[str], str], name: str) -> None:
    assert wrong(f"own_rulers:{name}") == ""
    assert build({}, f"own_rulers:{name}", {}, Ruler).measure() == 1


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("no_mod:X", "the import path has no module 'no_mod': install it, or put its folder in PYTHONPATH"),
        ("no_mod.inner:X", "the import path has no module 'no_mod'"),
        ("own_rulers:Nope", "module 'own_rulers' has no class 'Nope'"),
        ("own_rulers:Sond", "module 'own_rulers' has no class 'Sond', did you mean 'Sound'?"),
        ("own_rulers:", "module 'own_rulers' has no class ''"),
        ("own_rulers:NUMBER", "own_rulers:NUMBER is no class"),
        ("own_rulers:Empty", "own_rulers:Empty is no Ruler: it lacks unit, measure"),
        ("own_rulers:NoUnit", "own_rulers:NoUnit is no Ruler: it lacks unit"),
        ("own_broken:X", "module 'own_broken' cannot be imported: SyntaxError: "),
        ("own_needy:X", "module 'own_needy' cannot be imported: No module named 'not_installed_at_all'"),
        (":X", "module '' cannot be imported: ValueError: "),
        (".here:X", "module '.here' cannot be imported: TypeError: "),
    ],
)
def test_what_keeps_a_class_from_use_is_told(wrong: Callable[[str], str], kind: str, told: str) -> None:
    assert wrong(kind).startswith(f"unknown kind {kind!r}; known: tape; {told}")


@pytest.mark.parametrize(("name", "told"), [("NeverSetsItsUnit", "it lacks unit"), ("Raises", "spoon")])
def test_what_only_an_object_shows_is_told_when_it_is_built(wrong: Callable[[str], str], name: str, told: str) -> None:
    assert wrong(f"own_rulers:{name}") == ""
    with pytest.raises(UnknownKind, match=rf"kind 'own_rulers:{name}'.*{told}"):
        build({}, f"own_rulers:{name}", {}, Ruler)


def test_an_error_of_ones_own_class_names_it_and_other_errors_pass() -> None:
    with pytest.raises(OwnKindFailed, match=r"^my_ext:Mine failed: RuntimeError: boom$"), named("my_ext:Mine"):
        raise RuntimeError("boom")
    with pytest.raises(RuntimeError, match=r"^boom$"), named("clip"):
        raise RuntimeError("boom")
    for error in (MemoryError("full"), UnknownKind("ours")):
        with pytest.raises(type(error)), named("my_ext:Mine"):
            raise error
