"""Kinds as ``module:Class``: implementations that live outside this package, and what is wrong with one."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager

from models.typed import suggest

_PACKAGES = ("flows", "tasks", "models", "storage")


class OwnKindFailed(RuntimeError):
    """A class that a profile names as ``module:Class`` raised an error; the message names the class."""


def why_not(kind: str, protocol: type) -> str | None:
    """Why ``module:Class`` cannot serve as `protocol`, or None where it can; imports the module.

    Attributes that a constructor may set are not asked for, methods are.
    """
    module, _, name = kind.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            return f"the import path has no module {error.name!r}: install it, or put its folder in PYTHONPATH"
        return f"module {module!r} cannot be imported: {error}"
    except Exception as error:  # whatever the code of a module does
        return f"module {module!r} cannot be imported: {_told(error)}"
    factory = getattr(found, name, None) if name else None
    if factory is None:
        known = [each for each, value in vars(found).items() if isinstance(value, type)]
        return f"module {module!r} has no class {name!r}{suggest(name, known)}"
    if not callable(factory):
        return f"{kind} is no class"
    lacking = _lacking(factory, protocol) if isinstance(factory, type) else []
    return f"{kind} is no {protocol.__name__}: it lacks {', '.join(lacking)}" if lacking else None


def members(protocol: type) -> list[str]:
    """The names that a protocol asks for, in its order."""
    return [name for name in vars(protocol) if not name.startswith("_")]


@contextmanager
def named(kind: str) -> Generator[None, None, None]:
    """Whatever ``module:Class`` raises within becomes one error that names it; other kinds' errors pass.

    Errors of this package pass as well, and those of memory, which training answers by smaller batches.

    Raises:
        OwnKindFailed: with the error's type and message.
    """
    try:
        yield
    except Exception as error:
        ours = type(error).__module__.partition(".")[0] in _PACKAGES
        memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        if ":" not in kind or ours or memory:
            raise
        raise OwnKindFailed(f"{kind} failed: {_told(error)}") from error


def _lacking(factory: type, protocol: type) -> list[str]:
    """Members that no object of the class has: methods, and attributes that nothing in the class could set."""
    if hasattr(factory, "__getattr__"):
        return []
    set_by_class = {name for base in factory.__mro__ for name in vars(base).get("__annotations__", {})}
    settable = factory.__init__ is not object.__init__ or factory.__new__ is not object.__new__
    return [
        name
        for name in members(protocol)
        if not hasattr(factory, name) and (callable(getattr(protocol, name)) or not (settable or name in set_by_class))
    ]


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
