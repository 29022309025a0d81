"""Scores of groups of films by sex, age, view and site, and in which group findings are missed more often.

Under-diagnosis is what Seyyed-Kalantari et al. (Nature Medicine 27, 2021) call so: a patient with a finding is taken
for healthy. Here a film is, where no finding reaches the threshold that has the best F1 on the validation films.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.film_facts import AGE_BANDS, ATTRIBUTES, OLDEST_BAND, FilmFacts
from tasks.evaluate.label_metrics import best_thresholds
from tasks.evaluate.labels import Labels, settle
from tasks.evaluate.metrics.macro import macro_mean, with_both_classes
from tasks.evaluate.metrics.ranking import resampled_auroc
from tasks.evaluate.resampled import ByUnit, draw, mean_figure
from tasks.evaluate.scores import Figure, Subgroup, Subgroups

if TYPE_CHECKING:
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

LEAST_FILMS = 20
"""A group of fewer films is named and left out."""
LEAST_SHOWN = 10
"""A rate of missed films needs so many films that show a finding, in the group and in the others."""
_NO_THRESHOLDS = "no validation films gave thresholds"


def attributes(facts: Sequence[FilmFacts]) -> dict[str, tuple[str | None, ...]]:
    """By attribute, the group of each film; None where it is not known. Attributes that no film has are left out."""
    found = {name: tuple(film.group(name) for film in facts) for name in ATTRIBUTES}
    return {name: groups for name, groups in found.items() if any(groups)}


def score_subgroups(
    items: Sequence[TrialPredictions], groups: Mapping[str, Sequence[str | None]], section: EvaluateSection,
    seed: int = 0,
) -> list[Subgroups]:  # fmt: skip
    """Score every group of every attribute, for each arm on average over its seeds.

    Args:
        items: predictions of every arm and seed, for the same films and labels.
        groups: by attribute, of each film (`attributes`).
        section: resamples, confidence, and what becomes of uncertain labels.
        seed: of the resamples.
    """
    first = items[0].predictions
    labels = settle(first.truth, first.labels, section.uncertain, first.films)
    patients = next((item.predictions.patients for item in items if item.predictions.patients is not None), None)
    counts = draw(len(first.films), patients, section.bootstrap, seed)
    arms: dict[str, list[TrialPredictions]] = {}
    for item in items:
        arms.setdefault(item.arm, []).append(item)
    found: list[Subgroups] = []
    for attribute, of_film in groups.items():
        split = _Split.of(of_film, labels, patients)
        for arm, trials in arms.items():
            scored = _scored(split, trials, labels, counts, section) if len(split.rows) > 1 else []
            few = "" if scored else f"fewer than two groups of {LEAST_FILMS} films or more"
            found.append(
                Subgroups(
                    arm=arm, attribute=attribute, groups=scored, too_few=split.too_few, unknown=split.unknown,
                    findings=list(split.findings), why=few or _no_rates(trials),
                )
            )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """The films by group.

    Args:
        rows: numbers of the films of each group that is large enough.
        patients: of each such group; None where none is known.
        too_few: films of the others.
        unknown: films of which no group is known.
        findings: those with both classes in every group in `rows`, whose AUROC can be compared.
        columns: their numbers.
    """

    rows: Mapping[str, np.ndarray]
    patients: Mapping[str, int | None]
    too_few: dict[str, int]
    unknown: int
    findings: tuple[str, ...]
    columns: tuple[int, ...]

    @staticmethod
    def of(groups: Sequence[str | None], labels: Labels, patients: Sequence[str | None] | None) -> _Split:
        names = sorted({name for name in groups if name is not None}, key=_in_order)
        every = {name: np.array([at for at, group in enumerate(groups) if group == name]) for name in names}
        rows = {name: held for name, held in every.items() if len(held) >= LEAST_FILMS}
        both = [set(with_both_classes(labels.values[held], labels.known[held])) for held in rows.values()]
        columns = tuple(at for at in range(len(labels.names)) if both and all(at in held for held in both))
        return _Split(
            rows=rows,
            patients={name: _count(patients, held) for name, held in rows.items()},
            too_few={name: len(held) for name, held in every.items() if name not in rows},
            unknown=sum(group is None for group in groups),
            findings=tuple(labels.names[at] for at in columns),
            columns=columns,
        )


def _count(patients: Sequence[str | None] | None, rows: np.ndarray) -> int | None:
    """How many patients have a film among `rows`; None where no patient is known."""
    if patients is None:
        return None
    chosen = frozenset(rows.tolist())
    return len({one for at, one in enumerate(patients) if one is not None and at in chosen})


def _in_order(name: str) -> tuple[int, str]:
    bands = [*(band for _, band in AGE_BANDS), OLDEST_BAND]
    return bands.index(name) if name in bands else len(bands), name


def _no_rates(trials: Sequence[TrialPredictions]) -> str:
    return _NO_THRESHOLDS if any(item.validation is None for item in trials) else ""


def _scored(
    split: _Split, trials: Sequence[TrialPredictions], labels: Labels, counts: ByUnit, section: EvaluateSection
) -> list[Subgroup]:
    """The groups of one attribute for one arm."""
    missed = [part for item in trials if (part := _Missed.of(item, labels, section)) is not None]
    every, confidence = np.concatenate(list(split.rows.values())), section.confidence

    def rate(finding: str | None, rows: np.ndarray, others: np.ndarray | None = None) -> Figure | None:
        if len(missed) < len(trials):
            return None
        return _mean_rate([item.rate(finding, rows, counts, others) for item in missed], confidence)

    found: list[Subgroup] = []
    for name, rows in split.rows.items():
        others = np.setdiff1d(every, rows)
        auroc = [_auroc(item.predictions.scores, labels, split.columns, rows, counts) for item in trials]
        gaps = {finding: rate(finding, rows, others) for finding in split.findings}
        found.append(
            Subgroup(
                name=name, films=len(rows), patients=split.patients[name],
                auroc=mean_figure(auroc, confidence) if split.columns else None,
                missed=rate(None, rows), gap=rate(None, rows, others),
                gaps={finding: gap for finding, gap in gaps.items() if gap is not None},
            )
        )  # fmt: skip
    return found


def _mean_rate(parts: Sequence[ByUnit | None], confidence: float) -> Figure | None:
    taken = [part for part in parts if part is not None]
    return mean_figure(taken, confidence) if len(taken) == len(parts) else None


def _auroc(scores: np.ndarray, labels: Labels, columns: Sequence[int], rows: np.ndarray, counts: ByUnit) -> ByUnit:
    """The macro AUROC on some films, (1 + resamples,) by unit."""
    found: dict[str, np.ndarray] = {}
    for unit, drawn in counts.items():
        parts: list[np.ndarray] = []
        for at in columns:
            known = rows[labels.known[rows, at]]
            parts.append(resampled_auroc(scores[known, at], labels.values[known, at], drawn[:, known]))
        found[unit] = macro_mean(np.stack(parts)) if parts else np.full(len(drawn), np.nan)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Missed:
    """Which films with a finding one trial misses, at thresholds from the validation films.

    Args:
        shown: by finding which films show it; under None those that show any finding.
        missed: of these the ones below the threshold; under None the films that are below all thresholds.
    """

    shown: Mapping[str | None, np.ndarray]
    missed: Mapping[str | None, np.ndarray]

    @staticmethod
    def of(item: TrialPredictions, labels: Labels, section: EvaluateSection) -> _Missed | None:
        if item.validation is None:
            return None
        held = item.validation
        policy = "ignore" if section.uncertain == "refuse" else section.uncertain
        thresholds = best_thresholds(held.scores, settle(held.truth, held.labels, policy, held.films))["F1"]
        columns = {name: at for at, name in enumerate(labels.names) if name in thresholds}
        if not columns:
            return None
        below = {name: item.predictions.scores[:, at] < thresholds[name] for name, at in columns.items()}
        shown = {name: labels.known[:, at] & (labels.values[:, at] == 1) for name, at in columns.items()}
        any_shown, all_below = np.any(list(shown.values()), axis=0), np.all(list(below.values()), axis=0)
        missed: dict[str | None, np.ndarray] = {name: shown[name] & below[name] for name in shown}
        return _Missed({**shown, None: any_shown}, {**missed, None: any_shown & all_below})

    def rate(
        self, finding: str | None, rows: np.ndarray, counts: ByUnit, others: np.ndarray | None = None
    ) -> ByUnit | None:
        """The share of the films with a finding that is missed among `rows`, less that among `others`.

        None where too few of either show it.
        """
        if finding not in self.shown:
            return None
        shown, missed = self.shown[finding], self.missed[finding]
        if any(part is not None and shown[part].sum() < LEAST_SHOWN for part in (rows, others)):
            return None
        found = {unit: _share(missed[rows], shown[rows], drawn[:, rows]) for unit, drawn in counts.items()}
        if others is None:
            return found
        return {
            unit: found[unit] - _share(missed[others], shown[others], drawn[:, others])
            for unit, drawn in counts.items()
        }


def _share(part: np.ndarray, whole: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """How much of `whole` is `part` in each resample; NaN where it holds nothing."""
    some, every = (counts @ marks.astype(counts.dtype) for marks in (part, whole))
    return np.divide(some, every, out=np.full(len(counts), np.nan), where=every > 0)
