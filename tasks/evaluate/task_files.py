"""Evaluation tasks by name: each is one YAML file, shipped with this package or anybody's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from models.registry import UnknownKind
from models.typed import quoted, suggest
from storage.documents import first_problem
from tasks.evaluate.protocol import TASKS, task_problems
from tasks.recipe.base import KindSpec, Section
from tasks.recipe.reading import parse_yaml

SHIPPED = Path(__file__).with_name("task_definitions")
_ENDINGS = (".yaml", ".yml")


class TaskFile(Section):
    """One evaluation task: a kind of `TASKS` with its options, under a name of its own."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(description="what tables call it")
    version: int | None = Field(default=None, ge=1, description="raised with every change of the file")
    description: str = Field(default="", description="what it measures, in a sentence")
    kind: str = Field(min_length=1, description="kind of the task, or module:Class for one of your own")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the kind")
    dataset: str | None = Field(
        default=None, description="source of the test set, such as rsna@v-1; None: the one that is asked for"
    )

    @property
    def spec(self) -> KindSpec:
        """Kind and options."""
        return KindSpec(kind=self.kind, options=self.options)


@cache
def shipped_tasks() -> Mapping[str, TaskFile]:
    """The tasks that come with this package, by name."""
    files = (_read(path) for path in sorted(SHIPPED.glob("*.yaml")))
    return {task.name: task for task in files}


def find_task(text: str) -> TaskFile:
    """The task that `text` means.

    Args:
        text: the name of a shipped task, a kind, ``module:Class``, or the path of a YAML file.

    Raises:
        UnknownKind: there is no such task, or its file or its options are wrong; the message says what.
    """
    if text.endswith(_ENDINGS):
        return _read(Path(text).expanduser())
    shipped = shipped_tasks()
    if text in shipped:
        return shipped[text]
    if text in TASKS or ":" in text:
        name = text.rpartition(":")[2].lower()
        return _checked(TaskFile(name=name, kind=text), quoted(text))
    known = sorted({*shipped, *TASKS})
    raise UnknownKind(
        f"there is no task {quoted(text)}{suggest(text, known)}; known: {', '.join(known)}, or a path of a .yaml file"
    )


def resolved(asked: KindSpec) -> KindSpec:
    """Kind and options of a task that a profile names by its file; options given there stand above the file's.

    Raises:
        UnknownKind: the file of a task cannot be read or is wrong.
    """
    if asked.kind in TASKS or not (asked.kind.endswith(_ENDINGS) or asked.kind in shipped_tasks()):
        return asked
    task = find_task(asked.kind)
    return KindSpec(kind=task.kind, options={**task.options, **asked.options})


def _read(path: Path) -> TaskFile:
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"), str(path))
        task = TaskFile.model_validate(data)
    except OSError as error:
        raise UnknownKind(f"the task file {path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise UnknownKind(f"the task file {path} is wrong: {first_problem(error)}") from error
    except ValueError as error:
        raise UnknownKind(f"the task file {path} is wrong: {' '.join(str(error).split())}") from error
    return _checked(task, str(path))


def _checked(task: TaskFile, where: str) -> TaskFile:
    if wrong := task_problems(task.spec):
        raise UnknownKind(f"task {where}: {'; '.join(f'{path}: {what}' for path, what in wrong.items())}")
    return task
