"""What is wrong with files of predictions or labels, each mistake in one line."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluate.labels import CannotScore

_SHOWN = 3


class FilesDoNotFit(CannotScore):
    """Files that cannot be scored; `problems` has one line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def examples(names: Sequence[object]) -> str:
    """The first three names: ``a, b, c, ...``."""
    return ", ".join(map(str, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")


def counted(count: int, thing: str) -> str:
    """``1 film`` or ``3 films``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
