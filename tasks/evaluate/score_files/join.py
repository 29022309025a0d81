"""Bring predictions and labels together by film and label, and refuse what does not fit."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.evaluate.labels import Labels, Uncertain, settle
from tasks.evaluate.score_files.label_table import LabelTable
from tasks.evaluate.score_files.problems import FilesDoNotFit, counted, examples

_PATIENTS = ("patient", "patient id", "patientid", "patient key", "subject", "subject id", "subjectid")
"""Columns that hold patients, as people name them; case, spaces and underscores aside."""


@dataclass(frozen=True, slots=True)
class Allowances:
    """What is left out or mapped instead of refused.

    Args:
        films: films that one file alone has are left out.
        labels: labels that one file alone has are left out.
        uncertain: what becomes of labels that are -1 or blank.
    """

    films: bool = False
    labels: bool = False
    uncertain: Uncertain = "refuse"


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFiles:
    """Predictions with their labels.

    Args:
        films: ids, in the order of the predictions.
        scores: (films, labels) float64, as the file holds them.
        labels: names as the predictions spell them, what is true, and what is known.
        patients: of each film, or None.
        left_out: what one file alone has, a line for each: which file, how many and three examples.
    """

    films: tuple[str, ...]
    scores: np.ndarray
    labels: Labels
    patients: tuple[str, ...] | None
    left_out: tuple[str, ...]

    def label(self, at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores and truth of label number `at` for the films of which it is known, and which these are, (films,)."""
        known = self.labels.known[:, at]
        return self.scores[known, at], self.labels.values[known, at], known


def join(predictions: LabelTable, labels: LabelTable, allow: Allowances) -> ScoredFiles:
    """The films and labels that both files have.

    Raises:
        FilesDoNotFit: films or labels in one file only, scores that are missing or not finite, or uncertain labels,
            unless they are allowed; all such are told at once, with count and three examples each.
        CannotScore: a label is neither 1, 0 nor -1.
    """
    films, lone_films = _in_both(predictions, labels, "film", lambda table: {film: film for film in table.films})
    names, lone_names = _in_both(
        predictions, labels, "label", lambda table: {key: name for key, (name, _) in table.columns.items()}
    )
    hint = _patients_hint(predictions, labels)
    problems = [] if allow.films else [f"{line} (--allow-missing-films leaves them out)" for line in lone_films]
    problems += (
        [] if allow.labels else [f"{line} (--allow-missing-labels leaves them out){hint}" for line in lone_names]
    )
    if not films or not names:
        nothing = "label" if films else "film"
        raise FilesDoNotFit([*problems, f"{predictions.path} and {labels.path} have no {nothing} in common"])
    scores, truth = (_values(table, films, names) for table in (predictions, labels))
    spelt = [predictions.columns[name][0] for name in names]
    if odd := _where(~np.isfinite(scores), films, spelt):
        problems.append(f"{counted(len(odd), 'score')} of {predictions.path} missing or not finite: {examples(odd)}")
    doubt = _where(np.isnan(truth) | (truth == -1), films, spelt)
    if doubt and allow.uncertain == "refuse":
        problems.append(
            f"{counted(len(doubt), 'label')} of {labels.path} -1 or blank: {examples(doubt)} (--uncertain ignore, "
            "positive or negative says how they count)"
        )
    if problems:
        raise FilesDoNotFit(problems)
    return ScoredFiles(
        films=tuple(films),
        scores=scores,
        labels=settle(truth, spelt, allow.uncertain, films),
        patients=_patients(labels, films) or _patients(predictions, films),
        left_out=(*lone_films, *lone_names),
    )


def _in_both(
    predictions: LabelTable, labels: LabelTable, thing: str, names: Callable[[LabelTable], dict[str, str]]
) -> tuple[list[str], list[str]]:
    """What both files have, in the order of the predictions, and a line for each file that has more."""
    ours, theirs = names(predictions), names(labels)
    lines = [
        f"{counted(len(lone), thing)} only in {table.path}: {examples(lone)}"
        for table, own, other in ((predictions, ours, theirs), (labels, theirs, ours))
        if (lone := [name for key, name in own.items() if key not in other])
    ]
    return [key for key in ours if key in theirs], lines


def _patients_hint(one: LabelTable, other: LabelTable) -> str:
    """The option that names the patients, where a column that seems to hold them stands among the labels of a file."""
    lone = [*one.columns.items(), *other.columns.items()]
    found = [name for key, (name, _) in lone if key in _PATIENTS and not (key in one.columns and key in other.columns)]
    return f"; --patients {shlex.quote(found[0])} names a column of patients" if found else ""


def _rows(table: LabelTable, films: Iterable[str]) -> np.ndarray:
    place = {film: at for at, film in enumerate(table.films)}
    return np.array([place[film] for film in films], np.int64)


def _values(table: LabelTable, films: Sequence[str], names: Sequence[str]) -> np.ndarray:
    rows = _rows(table, films)
    return np.stack([table.values(name)[rows] for name in names], axis=1)


def _where(odd: np.ndarray, films: Sequence[str], names: Sequence[str]) -> list[str]:
    places: list[list[int]] = np.argwhere(odd).tolist()
    return [f"{names[label]} of {films[film]}" for film, label in places]


def _patients(table: LabelTable, films: Sequence[str]) -> tuple[str, ...] | None:
    if table.patients is None:
        return None
    of = dict(zip(table.films, table.patients, strict=True))
    return tuple(of[film] for film in films)
