"""The one error that a bad profile raises, and how its lines are worded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class RecipeError(ValueError):
    """A profile or an override cannot become a recipe.

    Attributes:
        where: the profile, file or override that is at fault.
        problems: one readable line per problem, all that were found at once.
    """

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.where, self.problems = where, tuple(problems)
        count = f"{len(self.problems)} problems" if len(self.problems) > 1 else "a problem"
        super().__init__("\n".join([f"{where} has {count}:", *(f"  {line}" for line in self.problems)]))

    def __reduce__(self) -> tuple[type[RecipeError], tuple[str, tuple[str, ...]]]:
        return RecipeError, (self.where, self.problems)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None where nothing is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?``, or nothing."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""
