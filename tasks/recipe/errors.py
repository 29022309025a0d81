"""The one error that a bad profile raises, and how its lines are worded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from models.typed import LONGEST, quoted
from storage.addresses import redact

__all__ = ["RecipeError", "did_you_mean", "nearest", "printable", "quoted"]

LONGEST_LINE = 600


class RecipeError(ValueError):
    """A profile or an override cannot become a recipe.

    Every line is redacted and of printable characters, however odd the profile is.

    Attributes:
        where: the profile, file or override that is at fault.
        problems: one readable line per problem, all that were found at once.
    """

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.where, self.problems = printable(where), tuple(dict.fromkeys(map(printable, problems)))
        if len(self.problems) == 1:
            super().__init__(f"{self.where}: {self.problems[0]}")
        else:
            lines = (f"  {line}" for line in self.problems)
            super().__init__("\n".join([f"{self.where} has {len(self.problems)} problems:", *lines]))

    def __reduce__(self) -> tuple[type[RecipeError], tuple[str, tuple[str, ...]]]:
        return RecipeError, (self.where, self.problems)


def printable(text: str, longest: int = LONGEST_LINE) -> str:
    """`text` as one line for a terminal: secrets of addresses hidden, control characters escaped, the end cut off."""
    shown = redact(text[: 2 * longest])
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in shown)
    return shown if len(shown) <= longest and len(text) <= 2 * longest else shown[:longest] + "…"


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word closest to `word`, or None where nothing is close."""
    close = difflib.get_close_matches(word[:LONGEST], list(known), n=1, cutoff=cutoff)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?``, or nothing."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""
