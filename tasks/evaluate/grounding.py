"""Ask a vision-language model where a finding is, without training on any box or mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.findings.label_sets import load
from storage.records import Manifest
from tasks.evaluate.areas import Areas, areas
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.maps import MAP, SIDE, FindingMaps, enlarged, finding_maps
from tasks.evaluate.metrics.localisation import chance, contrast_to_noise, dice, pointing_game, threshold_from_maps
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.prompts import DEFAULT, PromptSetName, prompts_for
from tasks.evaluate.score_means import FilmValues, MeanMetric, score_means
from tasks.evaluate.scores import ScoreTable
from tasks.evaluate.zero_shot import ZeroShot

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection

Measure = Literal["pointing", "contrast", "dice"]
MEASURES: Mapping[Measure, MeanMetric] = {
    "pointing": MeanMetric(
        "pointing game",
        "share of films whose map is highest inside the finding's area; `chance` is the area's share of the film",
    ),
    "contrast": MeanMetric(
        "contrast to noise",
        "difference of the map's means inside and outside of the area, over the root of the sum of their variances",
    ),
    "dice": MeanMetric(
        "Dice",
        "overlap of the area with the places where the map reaches a level, one for each finding, that gives the "
        "highest mean Dice over the films with an area: of the validation films, or (oracle) of the test films "
        "themselves. Over all films, an area and a map that are both empty overlap by 1",
    ),
}
CHANCE = "chance"
_CHANCE = f" ({CHANCE})"
ORACLE = " (oracle)"
_SCORING = 3
"""Raise it when the same model, prompts and film would get another value."""


class Grounding:
    """Zero-shot grounding: where on the film a finding's prompts fit, against its masks, or boxes where it has none.

    The map of a finding is what each place of the film adds to its zero-shot score by the rule ``normal``, less what
    it adds on the validation films on average, enlarged bilinearly (`tasks.evaluate.maps`).

    Args:
        measure: ``pointing`` game or ``contrast`` to noise, of films with an area of the finding; or ``dice``, overlap
            from a level that is chosen on validation films, with IoU, all films and the best level beside it.
        prompts: sentence forms, as for ``zero_shot``.
    """

    needs = frozenset({"boxes|masks"})
    trains = False
    tunes = True

    def __init__(self, measure: Measure = "pointing", prompts: PromptSetName = "report") -> None:
        self.measure: Measure = measure
        self.prompts: PromptSetName = prompts

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """The version of the scoring, and the prompts by content."""
        return {"scoring": _SCORING, **ZeroShot(self.prompts).identity(test)}

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """The measure of every film for every finding that has an area on some film.

        NaN where the film has no area of it; for ``dice``, where it is not known whether it has one, and for a finding
        without an area on any validation film. `Predictions.truth` says which films have an area.

        Raises:
            CannotScore: no film has a box or a mask of a finding of the label set, or no validation film has one
                of these findings.
            NoFeatures: the model's image tower gives no map.
        """
        test = data.test
        drawn = areas(test, boxes=True)
        label_set = load(test.version.manifest.label_set or DEFAULT)
        prompts = prompts_for(label_set, drawn.names, f"dataset {test}", self.prompts)
        maps = finding_maps(model, prompts, data.validation)
        found = _overlaps(maps, data, drawn) if self.measure == "dice" else self._of_areas(maps, test, drawn)
        columns = tuple(f"{name}{kind}" for kind in found for name in drawn.names)
        table = np.concatenate(list(found.values()), axis=1).astype(np.float32)
        truth = np.tile(np.where(drawn.known, drawn.shown, np.nan), (1, len(found)))
        return Predictions(test.ids(), columns, table, truth, test.patients())

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """The measure per finding and their macro mean; for the pointing game beside an arm that plays at chance."""
        items, metric = list(predictions), MEASURES[self.measure]
        metric = replace(metric, protocol=f"{metric.protocol}; {MAP}")
        if self.measure == "dice":
            oracle = all(name.endswith(ORACLE) for name in items[0].predictions.labels)
            metric = replace(metric, name=f"{metric.name}{ORACLE}") if oracle else metric
            return score_means(items, [_overlap_values(item.predictions) for item in items], metric, section)
        values = [_area_values(item.predictions) for item in items]
        if self.measure == "pointing" and all(item.arm != CHANCE for item in items):
            items.append(replace(items[0], arm=CHANCE))
            values.append(_area_values(items[0].predictions, by_chance=True))
        return score_means(items, values, metric, section)

    def _of_areas(self, maps: FindingMaps, test: LabelledSet, drawn: Areas) -> dict[str, np.ndarray]:
        found = {"": np.full(drawn.shown.shape, np.nan)}
        if self.measure == "pointing":
            found[_CHANCE] = np.full(drawn.shown.shape, np.nan)
        measure = pointing_game if self.measure == "pointing" else contrast_to_noise
        for film, places in zip(np.flatnonzero(drawn.placed).tolist(), maps.of(test, drawn.placed), strict=True):
            for at in np.flatnonzero(drawn.shown[film]).tolist():
                area = drawn.of_finding(film, at, SIDE)[None]
                found[""][film, at] = measure(enlarged(places[:, :, at])[None], area)[0]
                if self.measure == "pointing":
                    found[_CHANCE][film, at] = chance(area)[0]
        return found


def _overlaps(maps: FindingMaps, data: EvaluationData, drawn: Areas) -> dict[str, np.ndarray]:
    """Dice of every film and finding, (films, findings), by what the columns of its levels end with."""
    places = np.stack(list(maps.of(data.test)))
    levels = {ORACLE: _levels(places, drawn)}
    if data.validation is not None:
        held = areas(data.validation, drawn.names, boxes=True)
        if not held.placed.any():
            raise CannotScore(f"dataset {data.validation} has no area of the findings of dataset {data.test}")
        whole = np.zeros((len(held.rows), *places.shape[1:]), np.float32)
        whole[held.placed] = np.stack(list(maps.of(data.validation, held.placed)))
        levels = {"": _levels(whole, held), **levels}
    found = {kind: np.full(drawn.shown.shape, np.nan) for kind in levels}
    for film, at in np.argwhere(drawn.known).tolist():
        large, area = enlarged(places[film, :, :, at])[None], drawn.of_finding(film, at, SIDE)[None]
        for kind, chosen in levels.items():
            if not np.isnan(chosen[at]):
                found[kind][film, at] = dice(large >= chosen[at], area)[0]
    return found


def _levels(places: np.ndarray, drawn: Areas) -> np.ndarray:
    """The best level for each finding, (findings,); NaN where no film has an area of it."""
    found = np.full(len(drawn.names), np.nan)
    for at in np.flatnonzero(drawn.shown.any(axis=0)).tolist():
        films: list[int] = np.flatnonzero(drawn.shown[:, at]).tolist()
        large = np.stack([enlarged(places[film, :, :, at]) for film in films])
        wanted = np.stack([drawn.of_finding(film, at, SIDE) for film in films])
        found[at] = threshold_from_maps(large, wanted).level
    return found


def _overlap_values(predictions: Predictions) -> FilmValues:
    """Dice over the films with an area, with what stands beside it; at the best level where no other was chosen."""
    names = _names(predictions)
    kinds = ("", ORACLE) if len(predictions.labels) > len(names) else (ORACLE,)
    tables: dict[str, np.ndarray] = {}
    for at, kind in enumerate(kinds):
        part = slice(at * len(names), (at + 1) * len(names))
        overlap = predictions.scores[:, part].astype(np.float64)
        shown = predictions.truth[:, part] == 1
        for name, values in (("Dice", overlap), ("IoU", overlap / (2 - overlap))):
            tables[f"{name}{kind}"] = np.where(shown, values, np.nan)
            tables[f"{name}, all films{kind}"] = values
    main, *others = tables
    return FilmValues(names, tables[main], {name: tables[name] for name in others})


def _names(predictions: Predictions) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.removesuffix(ORACLE).removesuffix(_CHANCE) for label in predictions.labels))


def _area_values(predictions: Predictions, *, by_chance: bool = False) -> FilmValues:
    chosen = [at for at, name in enumerate(predictions.labels) if name.endswith(_CHANCE) == by_chance]
    return FilmValues(_names(predictions), predictions.scores[:, chosen].astype(np.float64))
